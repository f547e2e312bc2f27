/** Augmentation of drawings: stroke width, size and position. Ink is [H,W] in [0,1]: 0 is paper, 1 is full ink. */
import type { Planes } from '../codecs/images.ts';
import { resize } from './resample.ts';

/** Threshold for ink. */
const FAINT = 0.1;
/** Minimum share of the ink that thinning leaves. */
const KEPT = 0.35;

/** Converts between images (dark ink on light paper) and ink. */
export function inverted(image: Planes): Planes {
  const data = new Float32Array(image.data.length);
  for (let i = 0; i < data.length; i++) data[i] = 1 - image.data[i]!;
  return { ...image, data };
}

/**
 * Thickens every stroke by `radius` pixels on each side (gray dilation), or thins it where `radius` is negative (erosion).
 * Thin strokes are thinned less, so that they do not vanish.
 */
export function thicken(ink: Planes, radius: number): Planes {
  if (radius >= 0) return dilate(ink, radius);
  const least = KEPT * total(ink.data);
  const paper = inverted(ink);
  for (let r = -radius; ; r /= 2) {
    const thinner = inverted(dilate(paper, r));
    if (total(thinner.data) >= least) return thinner;
  }
}

/** Maximum filter with an octagon, built from alternating crosses and squares. A fractional radius blends in the last step. */
function dilate(image: Planes, radius: number): Planes {
  let { data } = image;
  for (let left = radius, square = false; left > 0; left--, square = !square) {
    const across = largest(data, 1, image.width);
    const down = largest(square ? across : data, image.width, data.length);
    const share = Math.min(1, left);
    const old = data;
    data = new Float32Array(old.length);
    for (let i = 0; i < old.length; i++)
      data[i] = (1 - share) * old[i]! + share * Math.max(across[i]!, down[i]!);
  }
  return { ...image, data };
}

/** Maximum of each pixel and its neighbours at distance `step`, within lines of `length`. */
function largest(data: Float32Array, step: number, length: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const place = i % length;
    let most = data[i]!;
    if (place >= step && data[i - step]! > most) most = data[i - step]!;
    if (place + step < length && data[i + step]! > most) most = data[i + step]!;
    result[i] = most;
  }
  return result;
}

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
  const box = inkBox(ink);
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

/** Bounding box of the ink; the whole image where there is none. */
function inkBox(ink: Planes): Planes {
  const { width, height, data } = ink;
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[i++]! <= FAINT) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  if (right < 0) return ink;
  const box = { channels: 1 as const, width: right - left + 1, height: bottom - top + 1 };
  const inside = new Float32Array(box.width * box.height);
  for (let y = 0; y < box.height; y++) {
    const from = (top + y) * width + left;
    inside.set(data.subarray(from, from + box.width), y * box.width);
  }
  return { ...box, data: inside };
}

function total(data: Float32Array): number {
  let sum = 0;
  for (const value of data) sum += value;
  return sum;
}
