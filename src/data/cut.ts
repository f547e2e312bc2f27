/** Squares cut out of images. */
import type { Planes } from '../codecs/images.ts';

/** A square of an image, pixels. Beyond the border the image is mirrored. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly side: number;
  readonly mirrored: boolean;
}

/** Writes a window's planes [C,side,side]. */
export function cut(
  { channels, width, height, data }: Planes,
  target: Float32Array,
  { top, left, side, mirrored: flipped }: Window,
): void {
  const columns = Array.from({ length: side }, (_, x) =>
    mirrored(left + (flipped ? side - 1 - x : x), width),
  );
  for (let c = 0, o = 0; c < channels; c++) {
    for (let y = 0; y < side; y++) {
      const row = (c * height + mirrored(top + y, height)) * width;
      for (let x = 0; x < side; x++) target[o++] = data[row + columns[x]!]!;
    }
  }
}

/** Mirrors a position beyond the border. */
export const mirrored = (i: number, length: number): number =>
  i < 0 ? -1 - i : i < length ? i : 2 * length - 1 - i;
