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
