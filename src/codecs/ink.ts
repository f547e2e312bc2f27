/** The ink of drawings: its polarity, where it is, and the width of its strokes. Ink is [1,H,W] in [0,1]: 0 is paper, 1 is full ink. */
import { crop } from './crop.ts';
import type { Planes } from './images.ts';

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

/** The part of an image that holds all ink above `faint`; undefined where there is none. */
export function inkBox(ink: Planes, faint: number): Planes | undefined {
  const { width, height, data } = ink;
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[i++]! <= faint) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return right < 0 ? undefined : crop(ink, left, top, right - left + 1, bottom - top + 1);
}

function total(data: Float32Array): number {
  let sum = 0;
  for (const value of data) sum += value;
  return sum;
}
