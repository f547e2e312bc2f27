import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/data/random.ts';
import {
  leastSigma,
  TrafficPatchSampler,
  type PatchOptions,
} from '../../../src/tasks/denoise/patches.ts';
import type { KindName } from '../../../src/tasks/denoise/traffic.ts';
import { flat, isByte, isSame, madeUpPhotos } from './images.ts';

const SIZE = 24;
const images = madeUpPhotos(6).map(({ image }) => image);
const sampler = (options: Partial<PatchOptions> = {}, random = new Random(1), from = images) =>
  new TrafficPatchSampler(from, random, {
    size: SIZE,
    count: 8,
    channels: 3,
    drawings: 3,
    seed: 1,
    ...options,
  });
const only = (kind: KindName): Record<KindName, number> => ({
  ...{ clean: 0, gaussian: 0, shared: 0, camera: 0, jpeg: 0, grain: 0, drawing: 0 },
  [kind]: 1,
});

describe('TrafficPatchSampler', () => {
  it.each([1, 3] as const)(
    'draws patches of %i channel(s), 8 bits, with the level of their noise',
    (channels) => {
      const { image, clean, sigma } = sampler({ channels, count: 100 }).next();
      const length = channels * SIZE ** 2;
      expect([image.length, clean.length, sigma.length]).toEqual([100 * length, 100 * length, 100]);
      expect(image.every(isByte) && clean.every(isByte)).toBe(true);
      sigma.forEach((level, n) => {
        let squares = 0;
        for (let i = n * length; i < (n + 1) * length; i++) squares += (image[i]! - clean[i]!) ** 2;
        expect(level).toBeCloseTo(255 * Math.sqrt(squares / length), 2);
      });
      expect(sigma.filter((level) => level === 0).length).toBeGreaterThan(5);
      expect(sigma.filter((level) => level > 25).length).toBeGreaterThan(5);
    },
  );

  it('cuts squares of the images, in all symmetries', () => {
    const [width, height] = [40, 36];
    const data = Float32Array.from({ length: width * height }, (_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      return (3 * x + y) / 255;
    });
    const ramp = { channels: 1, width, height, data } as const;
    const { clean } = sampler({ channels: 1, count: 200, weights: only('clean') }, new Random(2), [
      ramp,
    ]).next();
    const slopes = new Set<string>();
    for (let n = 0; n < 200; n++) {
      const patch = clean.subarray(n * SIZE ** 2, (n + 1) * SIZE ** 2);
      const step = (to: number): number => Math.round(255 * (patch[to]! - patch[0]!));
      const [right, down] = [step(1), step(SIZE)];
      expect(Math.round(255 * (patch.at(-1)! - patch[0]!))).toBe((SIZE - 1) * (right + down));
      slopes.add(`${right} ${down}`);
    }
    expect([...slopes].sort()).toEqual(
      ['-1 -3', '-1 3', '-3 -1', '-3 1', '1 -3', '1 3', '3 -1', '3 1'].sort(),
    );
  });

  it('goes on from a saved state as if it had not stopped', () => {
    const random = new Random(4);
    const first = sampler({}, random);
    first.next();
    const state = random.state();
    const expected = Array.from({ length: 5 }, () => first.next().image.slice());
    const other = new Random(99);
    const second = sampler({}, other);
    other.restore(state);
    for (const image of expected) expect(isSame(second.next().image, image)).toBe(true);
    expect(isSame(second.next().image, expected[0]!)).toBe(false);
  });

  it('draws the kinds it is told to, of the levels it is told to', () => {
    const gaussian = sampler({ count: 60, weights: only('gaussian'), sigma: [10, 11] }).next();
    for (const level of gaussian.sigma) expect(Math.abs(level - 10.5)).toBeLessThan(1.5);
    expect(
      sampler({ weights: only('drawing') })
        .next()
        .sigma.every((level) => level === 0),
    ).toBe(true);
    expect(
      sampler({ weights: only('jpeg'), count: 20 })
        .next()
        .sigma.every((level) => level > 0),
    ).toBe(true);
  });

  it('draws no weak noise where a least level is set', () => {
    const strict = sampler({ count: 300, sigma: [0.5, 75] }, new Random(5), [flat(0.5, 3, 48)]);
    expect(strict.next().sigma.filter((level) => level < 20).length).toBeGreaterThan(100);
    strict.leastSigma = 20;
    expect(Math.min(...strict.next().sigma)).toBeGreaterThan(18);
    strict.leastSigma = leastSigma(1);
    expect(strict.next().sigma.some((level) => level === 0)).toBe(true);
  });

  it('recolours photographs, and takes noisy patches from drawings, where asked', () => {
    const red = flat(0, 3, 48);
    red.data.fill(200 / 255, 0, 48 * 48);
    const strongest = (options: Partial<PatchOptions>): Set<number> => {
      const patches = sampler({ count: 100, weights: only('clean'), ...options }, new Random(6), [
        red,
      ]);
      const { clean } = patches.next();
      const channels = Array.from({ length: 100 }, (_, n) => {
        const values = [0, 1, 2].map((c) => clean[(3 * n + c) * SIZE ** 2]!);
        return values.indexOf(Math.max(...values));
      });
      return new Set(channels);
    };
    expect([...strongest({})]).toEqual([0]);
    expect(strongest({ recoloured: 1 }).size).toBe(3);
    const plain = sampler(
      { count: 60, weights: only('gaussian'), noisyDrawings: 1 },
      new Random(6),
      [red],
    );
    expect(plain.next().clean.some((value) => value > 0.9)).toBe(true);
  });

  it('refuses images that are smaller than a patch', () => {
    expect(() => sampler({ size: 90 })).toThrow(/at least 90×90 pixels; one is 88×84/);
  });
});

describe('leastSigma', () => {
  it('falls from 25 to 0.5 over the first fifth, then everything is let in', () => {
    expect(leastSigma(0)).toBe(25);
    expect(leastSigma(0.1)).toBeCloseTo(Math.sqrt(25 * 0.5));
    expect(leastSigma(0.19999)).toBeCloseTo(0.5, 2);
    expect(leastSigma(0.2)).toBe(0);
  });
});
