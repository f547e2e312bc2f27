/** Images as square blocks, and blocks as coefficients of the cosine transform, in which they are sparse. */
import type { Planes } from '../codecs/images.ts';
import type { Matrix } from './sparse-recovery.ts';

/** What is taken from every pixel first, so that blocks are signals around zero. */
const MID_GRAY = 0.5;

/**
 * The orthonormal two-dimensional cosine transform (DCT-II) of blocks of side×side pixels as a matrix [n,n] with n = side²:
 * a row for each coefficient, the frequency down outermost.
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

/** The whole blocks of a gray image less mid-gray, row after row of blocks; what is left over at its right and bottom is cut off. */
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

/** The image of these blocks, `across` in a row. */
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
