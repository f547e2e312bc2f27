/** Bilinear scaling of images. */
import type { Planes } from './images.ts';

/** Scales to `width`×`height` pixels, with a triangle filter when shrinking. */
export function resize(image: Planes, width: number, height: number): Planes {
  const { channels, data } = image;
  if (width === image.width && height === image.height) return image;
  const wide = new Float32Array(channels * image.height * width);
  average(data, wide, taps(image.width, width), {
    lines: channels * image.height,
    from: { line: image.width, step: 1 },
    to: { line: width, step: 1 },
  });
  const result = new Float32Array(channels * height * width);
  const rows = taps(image.height, height);
  for (let c = 0; c < channels; c++) {
    const from = wide.subarray(c * image.height * width, (c + 1) * image.height * width);
    const to = result.subarray(c * height * width, (c + 1) * height * width);
    const columns = { line: 1, step: width };
    average(from, to, rows, { lines: width, from: columns, to: columns });
  }
  return { channels, width, height, data: result };
}

/** Weights of the source pixels from `first` on. */
interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Filter weights for scaling `from` pixels to `to` pixels. */
function taps(from: number, to: number): Taps[] {
  const step = from / to;
  const reach = Math.max(1, step);
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * step - 0.5;
    const first = Math.max(0, Math.ceil(center - reach));
    const last = Math.min(from - 1, Math.floor(center + reach));
    const weights = Float64Array.from(
      { length: last - first + 1 },
      (_, k) => 1 - Math.abs(first + k - center) / reach,
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** Strides: between lines, and between pixels of a line. */
interface Strides {
  readonly line: number;
  readonly step: number;
}

function average(
  data: Float32Array,
  target: Float32Array,
  all: readonly Taps[],
  { lines, from, to }: { lines: number; from: Strides; to: Strides },
): void {
  for (const [i, { first, weights }] of all.entries()) {
    for (let line = 0; line < lines; line++) {
      let sum = 0;
      let at = line * from.line + first * from.step;
      for (let k = 0; k < weights.length; k++, at += from.step) sum += weights[k]! * data[at]!;
      target[line * to.line + i * to.step] = sum;
    }
  }
}
