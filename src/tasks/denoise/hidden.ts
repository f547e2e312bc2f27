/** Colours that cannot be seen: pixels of alpha 0 may hold anything, which a network would carry into what is seen. */
import type { Planes } from '../../codecs/images.ts';
import { planesOf } from './planes.ts';

/**
 * Gives every pixel of alpha 0 the mean of the visible ones around it, in place: the smallest block of 2, 4, 8, … pixels that
 * has any.
 *
 * @param alpha [H,W]
 */
export function fillHidden(image: Planes, alpha: Float32Array): void {
  const visible = Float32Array.from(alpha, (value) => (value > 0 ? 1 : 0));
  if (visible.every((value) => value === 1)) return;
  for (const plane of planesOf(image)) fill(plane, visible, image.width, image.height);
}

/** Fills where `weight` is 0. Recursion ends at one pixel, or where all are known. */
function fill(values: Float32Array, weight: Float32Array, width: number, height: number): void {
  if (width * height === 1 || weight.every((value) => value > 0)) return;
  const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const means = new Float32Array(w * h);
  const weights = new Float32Array(w * h);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const to = (y >> 1) * w + (x >> 1);
      means[to]! += weight[i]! * values[i]!;
      weights[to]! += weight[i]!;
    }
  }
  for (let i = 0; i < means.length; i++) if (weights[i]! > 0) means[i]! /= weights[i]!;
  fill(means, weights, w, h);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      if (weight[i] === 0) values[i] = means[(y >> 1) * w + (x >> 1)]!;
}
