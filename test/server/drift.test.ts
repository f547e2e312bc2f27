import { expect, it } from 'vitest';
import { Drift } from '../../src/server/drift.ts';
import { Random } from '../../src/data/random.ts';

const drift = (distances: readonly number[]): Drift => {
  const test = new Drift();
  distances.forEach((distance) => test.add(distance));
  return test;
};
const some = (beyond: number, of: number): number[] =>
  Array.from({ length: of }, (_, i) => (i < beyond ? 1.5 : 0.5));

it('is the exact binomial tail', () => {
  expect(drift([]).pValue).toBe(1);
  expect(drift(some(0, 20)).pValue).toBe(1);
  expect(drift(some(1, 1)).pValue).toBeCloseTo(0.05, 12);
  expect(drift(some(1, 20)).pValue).toBeCloseTo(1 - 0.95 ** 20, 12);
  expect(drift(some(20, 20)).pValue / 0.05 ** 20).toBeCloseTo(1, 9);
});

it('raises no alarm while 5 % exceed the quantile, and does within 100 runs when 20 % do', () => {
  const random = new Random(4);
  const draws = (rate: number) =>
    Array.from({ length: 100 }, () => (random.uniform() < rate ? 2 : 0));
  const alarms = (rate: number): number =>
    Array.from({ length: 300 }, () => drift(draws(rate)).pValue).filter((p) => p < 1e-3).length;
  expect(alarms(0.05)).toBeLessThanOrEqual(3);
  expect(alarms(0.2)).toBeGreaterThan(240);
});

it('looks back on the latest thousand runs', () => {
  expect(drift([...some(500, 500), ...some(0, 1000)]).pValue).toBe(1);
});
