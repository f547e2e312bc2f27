/** Brings drawings to one polarity, size, place and pen, so that only their shape is left. */
import type { Planes } from './images.ts';
import { inkBox, inverted, thicken } from './ink.ts';
import { resize } from './resize.ts';

/** Ink and paper that differ by less are noise. */
const LEAST_CONTRAST = 0.1;
/** The part of the border, between ink and paper, that does not tell which is which: the whole image decides. */
const UNDECIDED = [0.45, 0.55] as const;
/** Ink that counts for the size of a drawing. */
const INK = 0.5;
/** Paper around the drawing on each side, as a share of the side of the result. */
const MARGIN = 1 / 14;
/** The width of strokes, as a share of the side of the result. */
const PEN = 0.05;
/** The drawing is cropped and its pen is changed at so many times the resolution of the result. */
const DETAIL = 2;

/**
 * A drawing of any contrast and place as dark ink (0) on light paper (1): [1,H,W] → [1,side,side]. The ink fills the image
 * but for a margin, with its aspect ratio kept, and its strokes have one width.
 *
 * @param image gray, in [0,1]: ink on paper, light or dark
 * @returns undefined where all pixels are alike
 */
export function normaliseDrawing(image: Planes, side: number): Planes | undefined {
  const ink = inkOf(image);
  const box = ink && inkBox(ink, INK);
  if (!box) return undefined;
  const canvas = DETAIL * side;
  const pen = PEN * canvas;
  // The middle of the strokes is brought to one size: broad pens reach further.
  const extent = Math.max(box.width, box.height);
  const span = canvas * (1 - 2 * MARGIN) - pen;
  const scale = Math.min(canvas / extent, span / Math.max(1, extent - strokeWidth(box)));
  const [width, height] = [box.width, box.height].map((length) =>
    Math.max(1, Math.round(scale * length)),
  ) as [number, number];
  const placed = centred(resize(box, width, height), canvas);
  const drawn = thicken(placed, (pen - strokeWidth(placed)) / 2);
  return inverted(resize(drawn, side, side));
}

/** Ink [1,H,W] in [0,1], 0 on paper. Paper is what most of the border is. */
function inkOf(image: Planes): Planes | undefined {
  const { data } = image;
  const threshold = otsu(data);
  if (threshold === undefined) return undefined;
  const [dark, light] = meansOf(data, threshold);
  if (light - dark < LEAST_CONTRAST) return undefined;
  const border = shareAbove(borderOf(image), threshold);
  const [low, high] = UNDECIDED;
  const share = border > low && border < high ? shareAbove(data, threshold) : border;
  const [paper, full] = share >= 0.5 ? [light, dark] : [dark, light];
  const ink = new Float32Array(data.length);
  for (let i = 0; i < ink.length; i++)
    ink[i] = Math.min(1, Math.max(0, (data[i]! - paper) / (full - paper)));
  return { ...image, data: ink };
}

/** The threshold with the most variance between the values below and above it (Otsu 1979); undefined where all are alike. */
function otsu(data: Float32Array): number | undefined {
  const counts = new Float64Array(256);
  for (const value of data) counts[(255 * value + 0.5) | 0]!++;
  let total = 0;
  counts.forEach((count, level) => (total += count * level));
  let [best, found] = [0, undefined as number | undefined];
  let [below, sum] = [0, 0];
  for (let level = 0; level < 255; level++) {
    below += counts[level]!;
    sum += counts[level]! * level;
    const above = data.length - below;
    if (below === 0 || above === 0) continue;
    const variance = below * above * ((total - sum) / above - sum / below) ** 2;
    if (variance > best) [best, found] = [variance, (level + 0.5) / 255];
  }
  return found;
}

/** The means of the values below and above a threshold. */
function meansOf(data: Float32Array, threshold: number): [number, number] {
  let [low, high, count] = [0, 0, 0];
  for (const value of data) {
    if (value < threshold) {
      low += value;
      count++;
    } else high += value;
  }
  return [low / count, high / (data.length - count)];
}

/** The outermost pixels; those of the corners count twice. */
function borderOf({ width, height, data }: Planes): Float32Array {
  const border = new Float32Array(2 * (width + height));
  border.set(data.subarray(0, width));
  border.set(data.subarray((height - 1) * width), width);
  for (let y = 0, to = 2 * width; y < height; y++) {
    border[to++] = data[y * width]!;
    border[to++] = data[y * width + width - 1]!;
  }
  return border;
}

function shareAbove(data: Float32Array, threshold: number): number {
  let count = 0;
  for (const value of data) if (value > threshold) count++;
  return count / data.length;
}

/** A drawing in the middle of an empty square. */
function centred({ width, height, data }: Planes, side: number): Planes {
  const canvas = new Float32Array(side * side);
  const [left, top] = [(side - width) >> 1, (side - height) >> 1];
  for (let y = 0; y < height; y++)
    canvas.set(data.subarray(y * width, (y + 1) * width), (top + y) * side + left);
  return { channels: 1, width: side, height: side, data: canvas };
}

/** The mean width of strokes, pixels: a stroke of width w and length l has the area w·l and a contour of about 2·l. */
function strokeWidth({ width, height, data }: Planes): number {
  let [area, contour] = [0, 0];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const value = data[i]!;
      area += value;
      const across = (x + 1 < width ? data[i + 1]! : 0) - value;
      const down = (y + 1 < height ? data[i + width]! : 0) - value;
      contour += Math.sqrt(across * across + down * down);
      if (x === 0) contour += value;
      if (y === 0) contour += value;
    }
  }
  return (2 * area) / contour;
}
