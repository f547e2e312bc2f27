import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';

const N = 20_000;
const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((a, b) => a + b, 0) / values.length;

describe('Random', () => {
  it('gives equal numbers for equal seeds and goes on exactly from its state', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 50 }), (seed, skip) => {
        const a = new Random(seed);
        const b = new Random(seed);
        a.fillNormal(new Float32Array(skip));
        b.fillNormal(new Float32Array(skip));
        const c = new Random(0);
        c.restore(JSON.parse(JSON.stringify(a.state())) as number[]);
        const next = (random: Random): number[] => [
          random.uniform(),
          random.normal(),
          random.integer(1000),
          random.uniform(),
        ];
        const expected = next(a);
        expect(next(b)).toEqual(expected);
        expect(next(c)).toEqual(expected);
      }),
    );
  });

  it('gives unlike numbers for neighbouring seeds from the first on', () => {
    const first = Array.from({ length: N }, (_, seed) => new Random(seed).uniform());
    expect(mean(first)).toBeCloseTo(0.5, 1.5);
    // Correlation of each seed's first number with the next seed's.
    const pairs = first.slice(1).map((value, i) => 12 * (value - 0.5) * (first[i]! - 0.5));
    expect(Math.abs(mean(pairs))).toBeLessThan(0.03);
  });

  it('is uniform: whole numbers are equally frequent', () => {
    const random = new Random(3);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < N; i++) counts[random.integer(7)]!++;
    const chi = counts.reduce((sum, count) => sum + (count - N / 7) ** 2 / (N / 7), 0);
    expect(chi).toBeLessThan(22.5); // 6 degrees of freedom, p = 0.001
  });

  it.each([
    ['normal', (random: Random) => Float64Array.from({ length: N }, random.normal), 1],
    ['fillNormal', (random: Random) => fill(random, 0.25), 0.25],
  ])('%s has the moments of a normal distribution', (_, draw, deviation) => {
    const z = Array.from(draw(new Random(11)), (value) => value / deviation);
    expect(Math.abs(mean(z))).toBeLessThan(0.03);
    expect(Math.abs(mean(z.map((value) => value ** 2)) - 1)).toBeLessThan(0.04);
    expect(Math.abs(mean(z.map((value) => value ** 3)))).toBeLessThan(0.1);
    expect(Math.abs(mean(z.map((value) => value ** 4)) - 3)).toBeLessThan(0.25);
    expect(Math.abs(mean(z.slice(1).map((value, i) => value * z[i]!)))).toBeLessThan(0.03);
  });

  it('fills arrays of odd length to the end', () => {
    expect(Array.from(fill(new Random(1), 1, 7)).every((value) => value !== 0)).toBe(true);
  });
});

function fill(random: Random, deviation: number, length = N): Float32Array {
  const array = new Float32Array(length);
  random.fillNormal(array, deviation);
  return array;
}

describe('choices', () => {
  it('are a fixed number, one of a list, or one of an interval', () => {
    const random = new Random(4);
    const before = random.state();
    expect(random.choose(0.1)).toBe(0.1);
    expect(random.state()).toEqual(before);
    const list = Array.from({ length: 60 }, () => random.choose([2, 3, 5]));
    expect(new Set(list)).toEqual(new Set([2, 3, 5]));
    const middle = (spacing: 'linear' | 'log'): number =>
      Array.from({ length: 2001 }, () => random.choose({ from: 1, to: 100, spacing })).sort(
        (a, b) => a - b,
      )[1000]!;
    expect(Math.abs(middle('linear') - 50.5)).toBeLessThan(5);
    expect(Math.abs(Math.log10(middle('log')) - 1)).toBeLessThan(0.1);
  });

  it('of a table are as likely as their weights', () => {
    const random = new Random(6);
    const table = [{ weight: 1 }, { weight: 0 }, { weight: 3 }];
    const counts = table.map(() => 0);
    for (let i = 0; i < 4000; i++) counts[table.indexOf(random.weighted(table))]!++;
    expect(counts[1]).toBe(0);
    expect(Math.abs(counts[2]! / 4000 - 0.75)).toBeLessThan(0.03);
  });
});
