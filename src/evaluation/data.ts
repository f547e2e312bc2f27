/** Test data as samples with their truth, condition by condition. */
import type { Planes } from '../codecs/images.ts';
import type { LabelledImages } from '../data/class-folders.ts';
import { addNoise } from '../data/images.ts';
import { Random } from '../data/random.ts';
import { SignalSampler, type Matrix, type SignalOptions } from '../data/sparse-recovery.ts';
import type { Sample } from '../engine/types.ts';
import { multipleOf } from '../bundle/shape.ts';
import type { Manifest } from '../bundle/manifest.ts';

export interface Case {
  readonly sample: Sample;
  readonly truth: Float32Array;
}

export interface Condition {
  readonly label: Readonly<Record<string, number | string>>;
  readonly cases: readonly Case[];
}

/** `count` fresh signals at each signal-to-noise ratio, dB. */
export function recoveryConditions(
  matrix: Matrix,
  snrs: readonly number[],
  count: number,
  seed: number,
  signal: Omit<SignalOptions, 'snr'>,
): Condition[] {
  return snrs.map((snr) => {
    const sampler = new SignalSampler(matrix, new Random(seed + Math.round(1000 * snr)), count, {
      ...signal,
      snr: [snr],
    });
    const { measurements, signals } = sampler.next();
    const { rows, columns } = matrix;
    const cases = Array.from({ length: count }, (_, i) => ({
      sample: {
        measurements: { data: measurements.slice(i * rows, (i + 1) * rows), dims: [rows] },
      },
      truth: signals.slice(i * columns, (i + 1) * columns),
    }));
    return { label: { snr_db: snr }, cases };
  });
}

/**
 * Every image at each noise level σ (of 255); sides are cut to what the model takes.
 * @param clipped clip and round as an 8-bit file does, instead of leaving the noise as it is
 */
export function denoiseConditions(
  images: readonly Planes[],
  manifest: Manifest,
  sigmas: readonly number[],
  seed: number,
  clipped = false,
): Condition[] {
  const { name } = manifest.inputs[0]!;
  const cut = images.map((image) => fitting(image, manifest));
  return sigmas.map((sigma) => {
    const random = new Random(seed + Math.round(1000 * sigma));
    const cases = cut.map(({ data, channels, height, width }) => {
      const noisy = new Float32Array(data.length);
      addNoise(data, noisy, sigma, clipped, random);
      return { sample: { [name]: { data: noisy, dims: [channels, height, width] } }, truth: data };
    });
    return { label: clipped ? { sigma, noise: 'clipped' } : { sigma }, cases };
  });
}

/** Every image with the number of its class as its truth, one condition. */
export function recognizeConditions(
  { images, classes }: LabelledImages,
  manifest: Manifest,
): Condition[] {
  const { name } = manifest.inputs[0]!;
  const cases = images.map(({ data, channels, height, width }, i) => ({
    sample: { [name]: { data, dims: [channels, height, width] } },
    truth: Float32Array.of(classes[i]!),
  }));
  return [{ label: {}, cases }];
}

/** The image with its sides cut to the multiples that the model takes. */
export function fitting(image: Planes, { inputs }: Manifest): Planes {
  const [, , down, across] = inputs[0]!.shape.map(multipleOf) as [number, number, number, number];
  return crop(
    image,
    0,
    0,
    image.width - (image.width % across),
    image.height - (image.height % down),
  );
}

/** A part of an image, pixels. */
export function crop(
  image: Planes,
  left: number,
  top: number,
  width: number,
  height: number,
): Planes {
  const { channels, data } = image;
  if (width === image.width && height === image.height) return image;
  const result = new Float32Array(channels * width * height);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * image.height + top + y) * image.width + left;
      result.set(data.subarray(from, from + width), (c * height + y) * width);
    }
  }
  return { channels, width, height, data: result };
}
