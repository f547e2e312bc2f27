import type { Planes } from '../../../src/codecs/images.ts';
import type { Photograph } from '../../../src/tasks/denoise/photographs.ts';
import { planesOf, roundTo8Bits } from '../../../src/tasks/denoise/planes.ts';

/** Waves and edges, each image different, 8 bits. */
export function madeUpPhoto(k: number, channels: 1 | 3 = 3, width = 88, height = 84): Planes {
  const data = new Float32Array(channels * width * height);
  for (let i = 0; i < data.length; i++) {
    const [c, y, x] = [Math.floor(i / (width * height)), Math.floor(i / width) % height, i % width];
    const wave = Math.sin(x / (3 + k) + c) * Math.cos(y / (5 + (k % 7)) - c);
    data[i] = 0.5 + 0.2 * wave + ((x + 3 * k) % 40 < 20 ? 0.1 : -0.1) + 0.05 * c;
  }
  return { channels, width, height, data: roundTo8Bits(data) };
}

export const flat = (value: number, channels: 1 | 3, side: number): Planes => ({
  channels,
  width: side,
  height: side,
  data: roundTo8Bits(new Float32Array(channels * side * side).fill(value)),
});

export const madeUpPhotos = (count: number, width?: number, height?: number): Photograph[] =>
  Array.from({ length: count }, (_, k) => ({
    name: `photo ${k}`,
    image: madeUpPhoto(k, 3, width, height),
  }));

export const isByte = (value: number): boolean =>
  value >= 0 && value <= 1 && Math.abs(255 * value - Math.round(255 * value)) < 1e-4;

/** Equal numbers; `toEqual` takes seconds on long arrays. */
export const isSame = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** All channels alike. */
export const isGray = (image: Planes): boolean => {
  const [first, ...others] = planesOf(image);
  return others.every((plane) => isSame(plane, first!));
};

/** noisy − clean, of 255. */
export const noiseOf = (clean: Planes, noisy: Planes): Planes => ({
  ...noisy,
  data: noisy.data.map((value, i) => 255 * (value - clean.data[i]!)),
});

/** Mean and standard deviation. */
export function moments(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

/** Correlation of neighbours along rows, mean over the channels. */
export function neighbourCorrelation(image: Planes): number {
  const planes = planesOf(image);
  const each = planes.map((plane) => {
    const { mean, deviation } = moments(plane);
    let sum = 0;
    for (let i = 1; i < plane.length; i++)
      if (i % image.width > 0) sum += (plane[i]! - mean) * (plane[i - 1]! - mean);
    return sum / (plane.length - image.height) / deviation ** 2;
  });
  return each.reduce((a, b) => a + b) / each.length;
}
