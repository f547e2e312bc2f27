import { describe, expect, it } from 'vitest';
import type { LabelledImages } from '../../src/data/class-folders.ts';
import { LabelledSampler } from '../../src/data/labelled-batches.ts';

/** Image `i` holds 100·i + its pixels' numbers, 4×4. */
const data: LabelledImages = {
  labels: ['a', 'b', 'c'],
  images: Array.from({ length: 6 }, (_, i) => ({
    channels: 1 as const,
    width: 4,
    height: 4,
    data: Float32Array.from({ length: 16 }, (__, j) => 100 * i + j),
  })),
  classes: [0, 0, 1, 1, 2, 2],
};
const whole = { crop: 4, shift: 0, mirror: false, smoothing: 0 };
const sampler = (change = {}, count = 3, seed = 1) =>
  new LabelledSampler(data, seed, count, { ...whole, ...change });

describe('LabelledSampler', () => {
  it('gives every image once an epoch with its label, in another order each time', () => {
    const source = sampler();
    const epochs = [0, 1].map(() =>
      [0, 1].flatMap(() => {
        const { image, truth } = source.next();
        return [0, 1, 2].map((n) => {
          const which = image[16 * n]! / 100;
          expect([...truth.subarray(3 * n, 3 * n + 3)]).toEqual(
            [0, 1, 2].map((k) => (k === data.classes[which] ? 1 : 0)),
          );
          return which;
        });
      }),
    );
    for (const epoch of epochs) expect([...epoch].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it('cuts windows inside the image, and mirrors half of them', () => {
    const source = sampler({ crop: 3, mirror: true }, 1);
    const seen = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const pixels = Array.from(source.next().image, (value) => value % 100);
      const step = pixels[1]! - pixels[0]!;
      const corner = Math.min(pixels[0]!, pixels[2]!);
      expect(pixels).toEqual(
        [0, 4, 8].flatMap((row) => [0, 1, 2].map((x) => corner + row + (step > 0 ? x : 2 - x))),
      );
      seen.add(`${corner} ${step}`);
    }
    expect(seen.size).toBe(8);
  });

  it('shifts over the border, where the image is mirrored', () => {
    const source = sampler({ shift: 2 }, 1);
    const firsts = new Set(Array.from({ length: 300 }, () => source.next().image[0]! % 100));
    // The top left corner comes from every place within two pixels of it, on both sides.
    expect([...firsts].sort((a, b) => a - b)).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10]);
  });

  it('spreads a share of the label, and goes on from a state as if nothing had happened', () => {
    const source = sampler({ smoothing: 0.3, shift: 1, mirror: true });
    const { truth } = source.next();
    expect(Math.max(...truth)).toBeCloseTo(0.8);
    expect(truth.reduce((a, b) => a + b, 0)).toBeCloseTo(3);
    source.next();
    source.next();
    const state = JSON.parse(JSON.stringify(source.state())) as ReturnType<
      LabelledSampler['state']
    >;
    const expected = source.next().image.slice();
    const resumed = sampler({ smoothing: 0.3, shift: 1, mirror: true });
    resumed.restore(state);
    expect(resumed.next().image).toEqual(expected);
  });
});
