/** Operations on images of [C,H,W] in [0,1] that noise and drawings share. */
import type { Planes } from '../../codecs/images.ts';

/** Luma of ITU-R BT.601, rounded to 8 bits; a gray image is returned as it is. */
export function toGray(image: Planes): Planes {
  if (image.channels === 1) return image;
  const pixels = image.width * image.height;
  const { data } = image;
  const gray = new Float32Array(pixels);
  for (let i = 0; i < pixels; i++)
    gray[i] = 0.299 * data[i]! + 0.587 * data[i + pixels]! + 0.114 * data[i + 2 * pixels]!;
  return { ...image, channels: 1, data: roundTo8Bits(gray) };
}

/** A gray image as three equal planes; a colour image is returned as it is. */
export function toRgb(image: Planes): Planes {
  if (image.channels === 3) return image;
  const data = new Float32Array(3 * image.data.length);
  for (let c = 0; c < 3; c++) data.set(image.data, c * image.data.length);
  return { ...image, channels: 3, data };
}

/** Largest difference between the channels of a gray pixel, of 255: JPEG rounds chroma. */
const GRAY_TOLERANCE = 2.5;

/** A colour image whose channels agree as the gray image that it is; nothing where they do not. */
export function withoutColour(image: Planes): Planes | undefined {
  if (image.channels === 1) return undefined;
  const pixels = image.width * image.height;
  const { data } = image;
  const most = GRAY_TOLERANCE / 255;
  for (let i = 0; i < pixels; i++) {
    const green = data[i + pixels]!;
    if (Math.abs(data[i]! - green) > most || Math.abs(data[i + 2 * pixels]! - green) > most)
      return undefined;
  }
  return { ...image, channels: 1, data: data.slice(pixels, 2 * pixels) };
}

/** The planes [H,W] of an image; they share its memory. */
export function planesOf({ channels, width, height, data }: Planes): Float32Array[] {
  const pixels = width * height;
  return Array.from({ length: channels }, (_, c) => data.subarray(c * pixels, (c + 1) * pixels));
}

/** 0…255 for a value in [0,1]; values beyond are clipped. */
export const toByte = (value: number): number =>
  value <= 0 ? 0 : value >= 1 ? 255 : Math.floor(255 * value + 0.5);

/** Clips to [0,1] and rounds to 1/255, in place, as an 8-bit file would hold the values. */
export function roundTo8Bits(data: Float32Array): Float32Array {
  for (let i = 0; i < data.length; i++) data[i] = toByte(data[i]!) * (1 / 255);
  return data;
}

/** Root mean square of noisy − clean, of 255. */
export function noiseLevel(clean: Float32Array, noisy: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < clean.length; i++) squares += (noisy[i]! - clean[i]!) ** 2;
  return 255 * Math.sqrt(squares / clean.length);
}

/** Weights of a Gaussian of standard deviation `radius` (pixels) out to two of them; they add up to one. */
export function gaussianKernel(radius: number): Float64Array {
  const reach = Math.max(1, Math.ceil(2 * radius));
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - reach) / radius) ** 2),
  );
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

/** Convolves a plane [H,W] with a symmetric kernel along rows and columns, in place; mirrored at the border. */
export function convolve(
  plane: Float32Array,
  width: number,
  height: number,
  kernel: Float64Array,
): void {
  const line = new Float32Array(Math.max(width, height) + kernel.length);
  for (let y = 0; y < height; y++) convolveLine(plane, y * width, 1, width, kernel, line);
  for (let x = 0; x < width; x++) convolveLine(plane, x, width, height, kernel, line);
}

function convolveLine(
  plane: Float32Array,
  from: number,
  step: number,
  length: number,
  kernel: Float64Array,
  line: Float32Array,
): void {
  const reach = (kernel.length - 1) / 2;
  for (let i = 0; i < length; i++) line[i + reach] = plane[from + i * step]!;
  for (let i = 1; i <= reach; i++) {
    line[reach - i] = line[reach + mirrored(-i, length)]!;
    line[reach + length - 1 + i] = line[reach + mirrored(length - 1 + i, length)]!;
  }
  for (let i = 0, to = from; i < length; i++, to += step) {
    let sum = kernel[reach]! * line[i + reach]!;
    for (let k = 0, last = 2 * reach; k < reach; k++, last--)
      sum += kernel[k]! * (line[i + k]! + line[i + last]!);
    plane[to] = sum;
  }
}

/** A place beyond the border, mirrored at its outermost pixel: parity is kept, and with it the phase of a mosaic. */
export function mirrored(i: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const place = ((i % period) + period) % period;
  return place < length ? place : period - place;
}
