/** Augmentation of drawings: size and position. Ink is [1,H,W] in [0,1]: 0 is paper, 1 is full ink. */
import type { Planes } from '../codecs/images.ts';
import { inkBox } from '../codecs/ink.ts';
import { resize } from '../codecs/resize.ts';

/** Ink that counts for where a drawing is. */
const FAINT = 0.1;

/** Size and position that `place` gives the ink; all values are relative. */
export interface Placement {
  /** Scale factor, at most 1. */
  readonly size: number;
  /** Position of the ink on the canvas, from 0 (left, top) to 1 (right, bottom). */
  readonly across: number;
  readonly down: number;
}

/** Scales the ink and places it on a canvas of the same size, without clipping. */
export function place(ink: Planes, { size, across, down }: Placement): Planes {
  const { width, height } = ink;
  const box = inkBox(ink, FAINT) ?? ink;
  const scaled = resize(
    box,
    Math.max(1, Math.round(size * box.width)),
    Math.max(1, Math.round(size * box.height)),
  );
  const left = Math.round(across * (width - scaled.width));
  const top = Math.round(down * (height - scaled.height));
  const data = new Float32Array(width * height);
  for (let y = 0; y < scaled.height; y++) {
    const row = scaled.data.subarray(y * scaled.width, (y + 1) * scaled.width);
    data.set(row, (top + y) * width + left);
  }
  return { ...ink, data };
}
