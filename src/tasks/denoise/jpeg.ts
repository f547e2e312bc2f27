/** What JPEG does to an image's values, without a file: fast and synchronous, for patches to learn from. */
import type { ChromaSubsampling } from '../../codecs/formats.ts';
import type { Planes } from '../../codecs/images.ts';
import { planesOf, roundTo8Bits } from './planes.ts';

/** Quality and chroma subsampling of a JPEG. */
export interface JpegOptions {
  /** 1 to 100. */
  readonly quality: number;
  readonly chroma: ChromaSubsampling;
}

const SIDE = 8;
/** What is taken from samples before the transform, and the value of colours in gray pixels. */
const CENTRE = 128 / 255;
/** The orthonormal cosine transform (DCT-II) of eight numbers, a row for each frequency, and its inverse. */
const forward = Float64Array.from({ length: SIDE * SIDE }, (_, i) => {
  const [frequency, at] = [Math.floor(i / SIDE), i % SIDE];
  return (
    Math.sqrt((frequency === 0 ? 1 : 2) / SIDE) *
    Math.cos((Math.PI * frequency * (at + 0.5)) / SIDE)
  );
});
const inverse = forward.map((_, i) => forward[(i % SIDE) * SIDE + Math.floor(i / SIDE)]!);

/** The quantisation tables of the standard (ITU-T T.81, K.1), row by row; of 8-bit values at quality 50. */
const LUMA = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
  14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
  92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMA = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
  47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/** The image after JPEG, rounded to 8 bits; close to what libjpeg gives, whose integer arithmetic differs by a level or two. */
export function throughJpeg(image: Planes, { quality, chroma }: JpegOptions): Planes {
  const { width, height } = image;
  if (image.channels === 1) {
    const data = quantise(image.data, width, height, scaled(LUMA, quality));
    return { ...image, data };
  }
  const [y, blue, red] = toYcc(planesOf(image));
  const luma = quantise(y!, width, height, scaled(LUMA, quality));
  const steps = scaled(CHROMA, quality);
  const colour = (plane: Float32Array): Float32Array => {
    if (chroma === '4:4:4') return quantise(plane, width, height, steps);
    const [across, down] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    return double(quantise(halve(plane, width, height), across, down, steps), width, height);
  };
  return { ...image, data: roundTo8Bits(toRgbValues(luma, colour(blue!), colour(red!))) };
}

/** libjpeg's scale of a table for a quality. */
function scaled(table: readonly number[], quality: number): Float64Array {
  const percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return Float64Array.from(
    table,
    (step) => Math.min(255, Math.max(1, Math.floor((step * percent + 50) / 100))) / 255,
  );
}

/** Rounds the coefficients of every 8×8 block to multiples of `steps`; blocks at the border are filled up with its pixels. */
function quantise(
  plane: Float32Array,
  width: number,
  height: number,
  steps: Float64Array,
): Float32Array {
  const result = new Float32Array(plane.length);
  const [block, half] = [new Float64Array(SIDE * SIDE), new Float64Array(SIDE * SIDE)];
  const columns = placesOf(width);
  const rows = placesOf(height);
  for (let top = 0; top < height; top += SIDE) {
    for (let left = 0; left < width; left += SIDE) {
      for (let i = 0; i < block.length; i++)
        block[i] = plane[rows[top + (i >> 3)]! * width + columns[left + (i & 7)]!]! - CENTRE;
      transform(forward, block, half);
      transform(forward, half, block);
      for (let i = 0; i < block.length; i++)
        block[i] = steps[i]! * Math.floor(block[i]! / steps[i]! + 0.5);
      transform(inverse, block, half);
      transform(inverse, half, block);
      const [right, bottom] = [Math.min(SIDE, width - left), Math.min(SIDE, height - top)];
      for (let y = 0; y < bottom; y++) {
        for (let x = 0; x < right; x++)
          result[(top + y) * width + left + x] = block[y * SIDE + x]! + CENTRE;
      }
    }
  }
  return roundTo8Bits(result);
}

/** Writes the transpose of matrix · block: called twice, it transforms columns and rows. */
function transform(matrix: Float64Array, block: Float64Array, target: Float64Array): void {
  for (let k = 0; k < SIDE; k++) {
    for (let x = 0; x < SIDE; x++) {
      let sum = 0;
      for (let i = 0; i < SIDE; i++) sum += matrix[SIDE * k + i]! * block[SIDE * i + x]!;
      target[SIDE * x + k] = sum;
    }
  }
}

/** Where the pixels of whole blocks along an axis are read. */
const placesOf = (length: number): Int32Array =>
  Int32Array.from({ length: SIDE * Math.ceil(length / SIDE) }, (_, i) => Math.min(i, length - 1));

/** Y, Cb and Cr of JFIF, each in [0,1], rounded to 8 bits as in the file. */
function toYcc([r, g, b]: readonly Float32Array[]): Float32Array[] {
  const luma = r!.map((red, i) => 0.299 * red + 0.587 * g![i]! + 0.114 * b![i]!);
  return [
    luma,
    luma.map((y, i) => CENTRE + (b![i]! - y) / 1.772),
    luma.map((y, i) => CENTRE + (r![i]! - y) / 1.402),
  ].map(roundTo8Bits);
}

function toRgbValues(y: Float32Array, blue: Float32Array, red: Float32Array): Float32Array {
  const { length } = y;
  const data = new Float32Array(3 * length);
  for (let i = 0; i < length; i++) {
    const [cb, cr] = [blue[i]! - CENTRE, red[i]! - CENTRE];
    data[i] = y[i]! + 1.402 * cr;
    data[length + i] = y[i]! - 0.344136 * cb - 0.714136 * cr;
    data[2 * length + i] = y[i]! + 1.772 * cb;
  }
  return data;
}

/** Means of 2×2 pixels. */
function halve(plane: Float32Array, width: number, height: number): Float32Array {
  const [across, down] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const result = new Float32Array(across * down);
  for (let y = 0; y < down; y++) {
    const upper = 2 * y * width;
    const lower = Math.min(2 * y + 1, height - 1) * width;
    for (let x = 0; x < across; x++) {
      const right = Math.min(2 * x + 1, width - 1);
      result[y * across + x] =
        (plane[upper + 2 * x]! +
          plane[upper + right]! +
          plane[lower + 2 * x]! +
          plane[lower + right]!) /
        4;
    }
  }
  return result;
}

/** Twice as wide and high by libjpeg's triangle filter: ¾ of the nearest value and ¼ of the next, along both axes. */
function double(half: Float32Array, width: number, height: number): Float32Array {
  const [across, down] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const result = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const near = (y >> 1) * across;
    const far = Math.min(down - 1, Math.max(0, (y >> 1) + (y & 1 ? 1 : -1))) * across;
    for (let x = 0; x < width; x++) {
      const column = x >> 1;
      const next = Math.min(across - 1, Math.max(0, column + (x & 1 ? 1 : -1)));
      result[y * width + x] =
        (9 * half[near + column]! +
          3 * half[near + next]! +
          3 * half[far + column]! +
          half[far + next]!) /
        16;
    }
  }
  return result;
}
