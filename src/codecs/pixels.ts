/** Arithmetic on pixels between files, whose values are interleaved integers, and planes. */
/** The pixels of an image and how they are stored. */
interface Pixels {
  readonly channels: 1 | 3;
  readonly width: number;
  readonly height: number;
  /** [C,H,W] in [0,1]. */
  readonly data: Float32Array;
  /** [H,W] in [0,1]. */
  readonly alpha: Float32Array | undefined;
  /** Bits of a channel. */
  readonly bits: 8 | 16;
}

/** Every `step`-th value from `from` on, times `scale`. Inlined as a closure it takes three times as long. */
export function fill(
  target: Float32Array,
  numbers: Uint8Array | Uint16Array,
  from: number,
  step: number,
  scale: number,
): Float32Array {
  for (let i = 0; i < target.length; i++, from += step) target[i] = numbers[from]! * scale;
  return target;
}

/** The image with the colour behind it where it is transparent, for a format that drops its alpha. @param colour RRGGBB */
export function onBackground(image: Pixels, colour = 'ffffff'): Pixels {
  const { alpha, channels, data } = image;
  if (!alpha) return image;
  const [red, green, blue] = [0, 2, 4].map(
    (from) => Number.parseInt(colour.slice(from, from + 2), 16) / 255,
  ) as [number, number, number];
  const behind = channels === 1 ? [0.299 * red + 0.587 * green + 0.114 * blue] : [red, green, blue];
  const pixels = alpha.length;
  const opaque = data.map((value, i) => {
    const share = alpha[i % pixels]!;
    return share * value + (1 - share) * behind[Math.floor(i / pixels)]!;
  });
  return { ...image, data: opaque };
}

/** Values in [0,1] through a function that a table gives at even steps, in between linearly. */
export function throughTable(data: Float32Array, table: Float32Array): Float32Array {
  const last = table.length - 1;
  return data.map((value) => {
    const at = Math.min(1, Math.max(0, value)) * last;
    const below = Math.min(Math.floor(at), last - 1);
    const share = at - below;
    return (1 - share) * table[below]! + share * table[below + 1]!;
  });
}

/** The brightness of colours (ITU-R BT.601): [3,H,W] → [H,W]. */
export function luma(data: Float32Array): Float32Array {
  const pixels = data.length / 3;
  const [red, green, blue] = [0, 1, 2].map((c) => data.subarray(c * pixels, (c + 1) * pixels)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  return red.map((value, i) => 0.299 * value + 0.587 * green[i]! + 0.114 * blue[i]!);
}

/** Visible pixels whose standard deviation is beyond this hold ink and paper. */
const TWO_LEVELS = 0.15;

/**
 * Drawings [H,W] on a ground that shows them: the median of the visible pixels where these hold ink and paper, else black
 * or white, whichever differs more from them.
 */
export function onPaper(gray: Float32Array, alpha: Float32Array): Float32Array {
  const visible = gray.filter((_, i) => alpha[i]! > 0.5).sort();
  const mean = visible.reduce((sum, value) => sum + value, 0) / visible.length;
  const variance = visible.reduce((sum, value) => sum + (value - mean) ** 2, 0) / visible.length;
  const middle = visible[visible.length >> 1] ?? 0;
  const paper = Math.sqrt(variance) > TWO_LEVELS ? middle : middle < 0.5 ? 1 : 0;
  return gray.map((value, i) => alpha[i]! * value + (1 - alpha[i]!) * paper);
}

/** Interleaves planes as integers of `image.bits`; where fewer `bits` are written, rounded to the nearest of those. */
export function interleave(
  { width, height, channels, data, alpha, bits: stored }: Pixels,
  bits: 8 | 16,
): Uint8Array | Uint16Array {
  const count = channels + (alpha ? 1 : 0);
  const pixels = width * height;
  const target = stored === 16 ? new Uint16Array(pixels * count) : new Uint8Array(pixels * count);
  const most = 2 ** bits - 1;
  const step = stored === bits ? 1 : 257;
  for (let c = 0; c < count; c++) {
    const plane = c < channels ? data.subarray(c * pixels, (c + 1) * pixels) : alpha!;
    for (let i = 0, to = c; i < pixels; i++, to += count)
      target[to] = Math.round(Math.min(1, Math.max(0, plane[i]!)) * most) * step;
  }
  return target;
}
