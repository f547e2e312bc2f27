import { describe, expect, it } from 'vitest';
import type { Planes } from '../../../src/codecs/images.ts';
import {
  cosineTransform,
  fromBlocks,
  toBlocks,
  toCoefficients,
  toPixels,
} from '../../../scripts/paper/sparse-recovery/cosine-blocks.ts';
import { Random } from '../../../src/data/random.ts';

const random = new Random(3);
const image = (width: number, height: number): Planes => ({
  channels: 1,
  width,
  height,
  data: Float32Array.from({ length: width * height }, () => random.uniform()),
});

describe('cosineTransform', () => {
  const transform = cosineTransform(4);

  it('is orthonormal, its first row the mean', () => {
    const { data } = transform;
    for (let a = 0; a < 16; a++) {
      for (let b = 0; b < 16; b++) {
        let product = 0;
        for (let j = 0; j < 16; j++) product += data[a * 16 + j]! * data[b * 16 + j]!;
        expect(product).toBeCloseTo(a === b ? 1 : 0, 5);
      }
    }
    expect([...data.subarray(0, 16)].every((value) => Math.abs(value - 0.25) < 1e-6)).toBe(true);
  });

  it('has the frequency down outermost', () => {
    const stripes = Float32Array.from({ length: 16 }, (_, i) => (i < 8 ? 1 : -1));
    const found = toCoefficients(transform, stripes);
    found.forEach((value, i) => expect(Math.abs(value) > 1e-5).toBe(i === 4 || i === 12));
  });

  it('comes back from coefficients to pixels', () => {
    const { data } = image(4, 4);
    toPixels(transform, toCoefficients(transform, data)).forEach((value, i) =>
      expect(value).toBeCloseTo(data[i]!, 5),
    );
  });
});

describe('blocks', () => {
  it('joined again are the image', () => {
    const whole = image(12, 8);
    const blocks = toBlocks(whole, 4);
    expect(blocks).toHaveLength(6);
    expect(blocks[4]![6]).toBeCloseTo(whole.data[5 * 12 + 6]! - 0.5, 6);
    const { width, height, data } = fromBlocks(blocks, 4, 3);
    expect([width, height]).toEqual([12, 8]);
    data.forEach((value, i) => expect(value).toBeCloseTo(whole.data[i]!, 6));
  });

  it('leave out what is not a whole block', () => {
    expect(toBlocks(image(11, 7), 4)).toHaveLength(2);
  });
});
