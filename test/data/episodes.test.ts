import { describe, expect, it } from 'vitest';
import type { LabelledImages } from '../../src/data/class-folders.ts';
import { EpisodeSampler, type EpisodeOptions, type Variation } from '../../src/data/episodes.ts';
import { Random } from '../../src/data/random.ts';

/** Images of 2×2 whose first pixel is their class, and whose others tell which way they are turned. */
const images = (classes: number, each: number): LabelledImages => ({
  labels: Array.from({ length: classes }, (_, k) => `class ${k}`),
  images: Array.from({ length: classes * each }, (_, i) => ({
    channels: 1 as const,
    width: 2,
    height: 2,
    data: Float32Array.of(Math.floor(i / each), 100, 200, 300 + (i % each)),
  })),
  classes: Array.from({ length: classes * each }, (_, i) => Math.floor(i / each)),
});
const options: EpisodeOptions = { ways: [3], shots: [1, 2], queries: 2, turns: false };

describe('an episode', () => {
  it('has as many classes and images as asked for, the queries other images than the support', () => {
    const sampler = new EpisodeSampler(images(5, 4), new Random(1), { ...options, ways: [2, 3] });
    const seen = new Set<string>();
    for (let n = 0; n < 60; n++) {
      const { ways, shots, support, labels, query, truth } = sampler.next();
      seen.add(`${ways} ${shots[0]}`);
      expect(shots).toEqual(new Array(ways).fill(shots[0]));
      expect(support).toHaveLength(ways * shots[0]! * 4);
      expect(truth).toHaveLength(2 * ways);
      const classOf = (data: Float32Array, i: number): number => data[4 * i]!;
      const kinds = Array.from({ length: ways }, (_, k) => classOf(support, k * shots[0]!));
      expect(new Set(kinds).size).toBe(ways);
      truth.forEach((k, i) => expect(classOf(query, i)).toBe(kinds[k]));
      for (let i = 0; i < ways * shots[0]!; i++) {
        expect([...labels.subarray(i * ways, (i + 1) * ways)]).toEqual(
          kinds.map((kind) => (kind === classOf(support, i) ? 1 : 0)),
        );
      }
      const keys = [...support, ...query].reduce<string[]>(
        (all, value, i, list) => (i % 4 === 0 ? [...all, `${value} ${list[i + 3]}`] : all),
        [],
      );
      expect(new Set(keys).size).toBe(keys.length);
    }
    expect([...seen].sort()).toEqual(['2 1', '2 2', '3 1', '3 2']);
  });

  it('has shots of its own for each class where they are imbalanced, at most so many in all', () => {
    const sampler = new EpisodeSampler(images(5, 8), new Random(3), {
      ...options,
      ways: [2, 5],
      shots: [1, 6],
      imbalanced: true,
      support: 15,
    });
    const all: number[] = [];
    let unequal = 0;
    for (let n = 0; n < 200; n++) {
      const { ways, shots, support, labels, truth } = sampler.next();
      expect(shots).toHaveLength(ways);
      const sum = shots.reduce((a, b) => a + b, 0);
      expect(sum).toBeLessThanOrEqual(15);
      expect(support).toHaveLength(4 * sum);
      expect(truth).toHaveLength(2 * ways);
      const classes = shots.flatMap((count, k) => new Array<number>(count).fill(k));
      classes.forEach((k, i) => {
        const row = Array.from({ length: ways }, (_, j) => (j === k ? 1 : 0));
        expect([...labels.subarray(i * ways, (i + 1) * ways)]).toEqual(row);
        expect(support[4 * i]).toBe(support[4 * classes.indexOf(k)]);
      });
      all.push(...(ways === 2 ? shots : []));
      if (ways === 5) expect(Math.max(...shots)).toBeLessThanOrEqual(3);
      if (new Set(shots).size > 1) unequal++;
    }
    expect(new Set(all)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
    expect(unequal).toBeGreaterThan(80);
  });

  it('is varied by a function for each task and image, which may change its size', () => {
    let tasks = 0;
    const sampler = new EpisodeSampler(images(3, 4), new Random(6), options, () => {
      const task = ++tasks;
      return ({ data }) => Float32Array.of(100 * task + data[0]!);
    });
    sampler.next();
    const { support, query } = sampler.next();
    for (const values of [support, query])
      expect(new Set(values)).toEqual(new Set([200, 201, 202]));
    expect(query).toHaveLength(6);
  });

  it('counts a turned image as of another class', () => {
    const sampler = new EpisodeSampler(images(1, 3), new Random(2), {
      ways: [4],
      shots: [1, 1],
      queries: 2,
      turns: true,
    });
    const { support } = sampler.next();
    const turned = Array.from({ length: 4 }, (_, k) =>
      [...support.subarray(4 * k, 4 * k + 4)].map((value) => (value >= 300 ? 300 : value)),
    );
    expect(turned.sort((a, b) => a[0]! - b[0]!)).toEqual([
      [0, 100, 200, 300],
      [100, 300, 0, 200],
      [200, 0, 300, 100],
      [300, 200, 100, 0],
    ]);
  });

  it('moves and mirrors each image by itself, and only where it is asked to', () => {
    const seen = (variation: Variation): Set<string> => {
      const sampler = new EpisodeSampler(
        images(3, 3),
        new Random(5),
        { ...options, shots: [1, 1] },
        variation,
      );
      const found = new Set<string>();
      for (let n = 0; n < 40; n++) {
        const { support, query } = sampler.next();
        for (const all of [support, query]) {
          for (let i = 0; i < all.length; i += 4) {
            // Which corner of the image, 0 to 3, each pixel came from.
            found.add(
              Array.from(all.subarray(i, i + 4), (value) => Math.floor(value / 100)).join(''),
            );
          }
        }
      }
      return found;
    };
    expect([...seen({ shift: 0, mirror: false })]).toEqual(['0123']);
    expect([...seen({ shift: 0, mirror: true })].sort()).toEqual(['0123', '1032']);
    // Nine places; beyond the border the image is mirrored.
    expect(seen({ shift: 1, mirror: false })).toEqual(
      new Set(['0123', '0022', '1133', '0101', '0000', '1111', '2323', '2222', '3333']),
    );
  });

  it('is the same for the same seed', () => {
    const draw = (seed: number) =>
      new EpisodeSampler(images(6, 4), new Random(seed), options).next();
    expect(draw(3)).toEqual(draw(3));
    expect(draw(4)).not.toEqual(draw(3));
  });

  it('needs enough classes, and enough images in each', () => {
    expect(() => new EpisodeSampler(images(2, 4), new Random(1), options)).toThrow(
      /task has 3 classes, and there are 2/,
    );
    expect(() => new EpisodeSampler(images(3, 3), new Random(1), options)).toThrow(
      /class 0 has 3 images; a task takes 2 .* and 2/,
    );
  });
});
