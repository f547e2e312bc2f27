/** Colours that cannot be seen: pixels of alpha 0 may hold anything, which a network would carry into what is seen. */
import type { Planes } from '../../codecs/images.ts';
import { planesOf } from './planes.ts';

/**
 * Replaces every pixel of alpha 0 by a visible one, in place, so that the picture goes on with its own texture and noise: it is
 * mirrored at its bounding box, and within that at the nearest visible pixel.
 *
 * @param alpha [H,W]
 */
export function fillHidden(image: Planes, alpha: Float32Array): void {
  if (alpha.every((value) => value > 0)) return;
  const { width } = image;
  const nearest = nearestVisible(alpha, width);
  if (nearest[0] === NONE) return;
  const source = sources(alpha, nearest, width);
  for (const plane of planesOf(image))
    for (let i = 0; i < source.length; i++) plane[i] = plane[source[i]!]!;
}

const NONE = -1;

/** The place of the visible pixel that each pixel takes, [H,W]; visible ones keep their own. */
function sources(alpha: Float32Array, nearest: Int32Array, width: number): Int32Array {
  const height = alpha.length / width;
  const [left, right, top, bottom] = boundingBox(alpha, width);
  const source = new Int32Array(alpha.length);
  for (let y = 0, i = 0; y < height; y++) {
    const row = width * folded(y, top, bottom);
    for (let x = 0; x < width; x++, i++) {
      if (alpha[i]! > 0) source[i] = i;
      else {
        const inBox = row + folded(x, left, right);
        source[i] = alpha[inBox]! > 0 ? inBox : mirrored(alpha, inBox, nearest[inBox]!, width);
      }
    }
  }
  return source;
}

/** The hidden pixel's mirror image at its nearest visible pixel; that pixel itself where the mirror image is hidden or outside. */
function mirrored(alpha: Float32Array, at: number, nearest: number, width: number): number {
  const x = 2 * (nearest % width) - (at % width);
  const y = 2 * Math.floor(nearest / width) - Math.floor(at / width);
  const behind = y * width + x;
  const isInside = x >= 0 && x < width && behind >= 0 && behind < alpha.length;
  return isInside && alpha[behind]! > 0 ? behind : nearest;
}

/** Mirrors a coordinate at both ends of [first, last] until it lies within. */
function folded(at: number, first: number, last: number): number {
  const span = last - first;
  if (span === 0) return first;
  const offset = (((at - first) % (2 * span)) + 2 * span) % (2 * span);
  return first + (offset <= span ? offset : 2 * span - offset);
}

/** First and last column and row with a visible pixel. */
function boundingBox(alpha: Float32Array, width: number): [number, number, number, number] {
  let [left, right, top, bottom] = [width, NONE, 0, NONE];
  for (let i = 0; i < alpha.length; i++) {
    if (alpha[i] === 0) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    if (bottom === NONE) top = y;
    bottom = y;
  }
  return [left, right, top, bottom];
}

/**
 * The place of the nearest visible pixel, [H,W], by two passes over the neighbours (Danielsson 1980): almost always the nearest,
 * never much further. −1 where nothing is visible.
 */
function nearestVisible(alpha: Float32Array, width: number): Int32Array {
  const height = alpha.length / width;
  const nearest = Int32Array.from(alpha, (value, i) => (value > 0 ? i : NONE));
  const distance = (x: number, y: number, to: number): number =>
    to === NONE ? Infinity : (x - (to % width)) ** 2 + (y - Math.floor(to / width)) ** 2;
  const pass = (from: 1 | -1): void => {
    for (let n = 0; n < nearest.length; n++) {
      const i = from === 1 ? n : nearest.length - 1 - n;
      if (alpha[i]! > 0) continue;
      const [x, y] = [i % width, Math.floor(i / width)];
      let least = distance(x, y, nearest[i]!);
      for (const [dx, dy] of NEIGHBOURS) {
        const [nx, ny] = [x + from * dx, y + from * dy];
        if (nx < 0 || nx >= width || ny < 0 || ny >= height) continue;
        const candidate = nearest[ny * width + nx]!;
        const far = distance(x, y, candidate);
        if (far < least) [least, nearest[i]] = [far, candidate];
      }
    }
  };
  pass(1);
  pass(-1);
  pass(1);
  return nearest;
}

/** The neighbours that a pass from the first pixel on has seen. */
const NEIGHBOURS = [
  [-1, 0],
  [-1, -1],
  [0, -1],
  [1, -1],
] as const;
