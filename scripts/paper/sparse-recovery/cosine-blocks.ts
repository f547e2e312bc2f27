/** Splits images into square blocks and transforms them with the DCT, in which they are sparse. */
import type { Planes } from '../../../src/codecs/images.ts';
import type { Matrix } from '../../../src/data/sparse-recovery.ts';

/** Subtracted from every pixel, so that blocks are centred at zero. */
const MID_GRAY = 0.5;

/**
 * The orthonormal two-dimensional DCT-II of side×side blocks as a matrix [n,n] with n = side²: one row per coefficient,
 * vertical frequency outermost.
 */
export function cosineTransform(side: number): Matrix {
  const wave = (frequency: number, at: number): number =>
    Math.sqrt((frequency === 0 ? 1 : 2) / side) *
    Math.cos((Math.PI * frequency * (at + 0.5)) / side);
  const n = side * side;
  const data = new Float32Array(n * n);
  for (let row = 0; row < n; row++) {
    for (let pixel = 0; pixel < n; pixel++) {
      const down = wave(Math.floor(row / side), Math.floor(pixel / side));
      data[row * n + pixel] = down * wave(row % side, pixel % side);
    }
  }
  return { rows: n, columns: n, data };
}

/** A block's coefficients, [n,n] · [n]. */
export function toCoefficients(
  { rows, columns, data }: Matrix,
  pixels: Float32Array,
): Float32Array {
  const result = new Float32Array(rows);
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += data[i * columns + j]! * pixels[j]!;
    result[i] = sum;
  }
  return result;
}

/** The inverse of an orthonormal transform is its transpose. */
export function toPixels(
  { rows, columns, data }: Matrix,
  coefficients: Float32Array,
): Float32Array {
  const result = new Float32Array(columns);
  for (let i = 0; i < rows; i++) {
    const value = coefficients[i]!;
    for (let j = 0; j < columns; j++) result[j]! += data[i * columns + j]! * value;
  }
  return result;
}

/** The blocks of a gray image minus mid-gray, in rows; incomplete blocks at the right and bottom are dropped. */
export function toBlocks({ width, height, data }: Planes, side: number): Float32Array[] {
  const blocks: Float32Array[] = [];
  for (let top = 0; top + side <= height; top += side) {
    for (let left = 0; left + side <= width; left += side) {
      blocks.push(
        Float32Array.from(
          { length: side * side },
          (_, i) => data[(top + Math.floor(i / side)) * width + left + (i % side)]! - MID_GRAY,
        ),
      );
    }
  }
  return blocks;
}

/** Joins blocks into an image, `across` blocks per row. */
export function fromBlocks(blocks: readonly Float32Array[], side: number, across: number): Planes {
  const [width, height] = [across * side, Math.floor(blocks.length / across) * side];
  const data = new Float32Array(width * height);
  blocks.forEach((block, b) => {
    const corner = Math.floor(b / across) * side * width + (b % across) * side;
    block.forEach(
      (value, i) => (data[corner + Math.floor(i / side) * width + (i % side)] = value + MID_GRAY),
    );
  });
  return { channels: 1, width, height, data };
}
