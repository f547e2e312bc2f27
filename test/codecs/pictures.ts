/** Images and comparisons that the tests of the image codecs share. */
import sharp, { type Metadata } from 'sharp';
import { expect } from 'vitest';
import type { DecodedImage } from '../../src/codecs/images.ts';

/** More pixels than any image of these tests has. */
export const MOST = 40e6;
export const size = { width: 48, height: 32 };

/** A smooth image whose channels differ. */
export function picture(channels: 1 | 3, bits: 8 | 16 = 8, alpha = false): DecodedImage {
  const { width, height } = size;
  const most = 2 ** bits - 1;
  const plane = (c: number): number[] =>
    Array.from(
      { length: width * height },
      (_, i) =>
        Math.round(most * (0.5 + 0.4 * Math.sin((i % width) / 9 + c) * Math.cos(i / width / 7))) /
        most,
    );
  const data = Float32Array.from(Array.from({ length: channels }, (_, c) => plane(c)).flat());
  return {
    ...size,
    channels,
    bits,
    data,
    format: 'png',
    alpha: alpha ? Float32Array.from(plane(5)) : undefined,
    source: undefined,
  };
}

/** The largest difference of two arrays of equal length. */
export const worst = (a: Float32Array, b: Float32Array): number => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};

export const metadata = (bytes: Uint8Array): Promise<Metadata> => sharp(bytes).metadata();
