/** Kinds of noise as functions of an image, and the named conditions that reports measure. */
import { decodeImage, encodeImage, type Planes } from '../../codecs/images.ts';
import { fillFromTable } from '../../data/normal-table.ts';
import type { Random } from '../../data/random.ts';
import { takePhoto, type CameraSettings } from './camera.ts';
import type { JpegOptions } from './jpeg.ts';
import { convolve, gaussianKernel, planesOf, roundTo8Bits, toGray, toRgb } from './planes.ts';

/** An image without and with noise, of equal shape; `clean` is what a denoiser should give, not always the source. */
export interface Noised {
  readonly clean: Planes;
  readonly noisy: Planes;
}

/** Adds one kind of noise to an image with values in [0,1], drawing from `random`. */
export type Noise = (image: Planes, random: Random) => Noised;

/**
 * Independent Gaussian noise.
 *
 * @param sigma standard deviation, of 255
 * @param rounded clip and round to 8 bits, as a file would; otherwise the noise stays as it is
 */
export const gaussian =
  (sigma: number, rounded = true): Noise =>
  (clean, random) => {
    const data = new Float32Array(clean.data.length);
    if (sigma > 0) fillFromTable(data, sigma / 255, random);
    return withNoise(clean, data, rounded);
  };

/** The same Gaussian noise in every channel. Noise of the luminance alone is the same: R, G and B of YCbCr all have Y as a term. */
export const shared =
  (sigma: number): Noise =>
  (clean, random) => {
    const data = new Float32Array(clean.data.length);
    const [first, ...others] = planesOf({ ...clean, data });
    fillFromTable(first!, sigma / 255, random);
    for (const plane of others) plane.set(first!);
    return withNoise(clean, data);
  };

/** Gaussian noise that was blurred, as after demosaicing, resizing or noise reduction. @param radius of the blur, pixels */
export const correlated =
  (sigma: number, radius: number): Noise =>
  (clean, random) =>
    withNoise(clean, blurredNoise(clean, sigma, radius, random));

/** Strength, size and channel correlation of film grain. */
export interface GrainSettings {
  /** Standard deviation at mid-gray, of 255. */
  readonly sigma: number;
  /** Standard deviation of the blur that makes the grains, pixels. */
  readonly radius: number;
  /** The share of the noise that all channels have in common, 0 to 1; 1 for black-and-white film. */
  readonly common: number;
}

/** Film grain: blurred noise, strongest in mid-tones, a third as strong in black and white. */
export const grain =
  ({ sigma, radius, common }: GrainSettings): Noise =>
  (clean, random) => {
    const data = blurredNoise(clean, sigma, radius, random);
    const inAll = blurredNoise({ ...clean, channels: 1 }, sigma, radius, random);
    const tone = toGray(clean).data;
    const own = Math.sqrt(1 - common ** 2);
    for (const plane of planesOf({ ...clean, data })) {
      for (let i = 0; i < plane.length; i++) {
        const strength = 1 / 3 + (2 / 3) * 4 * tone[i]! * (1 - tone[i]!);
        plane[i] = strength * (own * plane[i]! + common * inAll[i]!);
      }
    }
    return withNoise(clean, data);
  };

/** Camera noise with fixed settings; the clean image has the lens blur of the noisy one. */
export const camera =
  (settings: CameraSettings): Noise =>
  (image, random) =>
    takePhoto(image, settings, random);

/** Noise on the gray image, stored in three equal channels. */
export const grayAsRgb =
  (noise: Noise): Noise =>
  (image, random) => {
    const { clean, noisy } = noise(toGray(image), random);
    return { clean: toRgb(clean), noisy: toRgb(noisy) };
  };

/** The bytes of a JPEG. */
export const jpegFile = (image: Planes, { quality, chroma }: JpegOptions): Promise<Uint8Array> =>
  encodeImage({ ...image, format: 'jpeg', bits: 8, alpha: undefined, source: undefined }, 'jpeg', {
    quality,
    chroma,
  });

/** The image after it was written as a JPEG and read back. */
export async function savedAsJpeg(image: Planes, options: JpegOptions): Promise<Planes> {
  const file = await jpegFile(image, options);
  const { channels, width, height, data } = await decodeImage(file, Number.POSITIVE_INFINITY);
  return { channels, width, height, data };
}

function withNoise(clean: Planes, noise: Float32Array, rounded = true): Noised {
  for (let i = 0; i < noise.length; i++) noise[i]! += clean.data[i]!;
  return { clean, noisy: { ...clean, data: rounded ? roundTo8Bits(noise) : noise } };
}

/** Planes of blurred normal noise whose standard deviation is `sigma` again. */
function blurredNoise(shape: Planes, sigma: number, radius: number, random: Random): Float32Array {
  const { channels, width, height } = shape;
  const kernel = gaussianKernel(radius);
  const power = kernel.reduce((sum, weight) => sum + weight ** 2, 0);
  const data = new Float32Array(channels * width * height);
  fillFromTable(data, sigma / 255 / power, random);
  for (const plane of planesOf({ ...shape, data })) convolve(plane, width, height, kernel);
  return data;
}

/** Noise of one named kind for reports. */
export interface NoiseCondition {
  readonly name: string;
  readonly apply: (image: Planes, random: Random) => Noised | Promise<Noised>;
}

/** Noise levels of reports, of 255; 8-bit files. */
export const reportSigmas = [0, 1, 2, 3, 5, 10, 15, 25, 35, 50, 75] as const;

const afterJpeg =
  (noise: Noise, options: JpegOptions) =>
  async (image: Planes, random: Random): Promise<Noised> => {
    const { clean, noisy } = noise(image, random);
    return { clean, noisy: await savedAsJpeg(noisy, options) };
  };

const cameraOf = (
  electrons: number,
  demosaic: CameraSettings['demosaic'],
  smoothing = 0,
  chroma = 0,
): Noise =>
  camera({
    electrons,
    readNoise: 2,
    gains: [2, 1.7],
    matrix: 0.7,
    demosaic,
    phase: 0,
    lensBlur: 0,
    smoothing,
    chromaSmoothing: chroma,
    chromaLeft: 0.6,
  });

/** The conditions of the reports beside the tables of published figures. */
export const noiseConditions: readonly NoiseCondition[] = [
  ...reportSigmas.map((sigma) => ({ name: `Gaussian, σ ${sigma}`, apply: gaussian(sigma) })),
  { name: 'gray stored as RGB, σ 25', apply: grayAsRgb(gaussian(25)) },
  { name: 'luminance only, σ 25', apply: shared(25) },
  { name: 'correlated (blur of 0.7 pixels), σ 15', apply: correlated(15, 0.7) },
  {
    name: 'σ 25, then JPEG q90 4:2:0',
    apply: afterJpeg(gaussian(25), { quality: 90, chroma: '4:2:0' }),
  },
  {
    name: 'σ 25, then JPEG q75 4:4:4',
    apply: afterJpeg(gaussian(25), { quality: 75, chroma: '4:4:4' }),
  },
  { name: 'JPEG q75 4:2:0', apply: afterJpeg(gaussian(0), { quality: 75, chroma: '4:2:0' }) },
  { name: 'camera, 2,000 electrons, bilinear', apply: cameraOf(2000, 'bilinear') },
  { name: 'camera, 500 electrons, Malvar', apply: cameraOf(500, 'malvar') },
  { name: 'camera, 150 electrons, Malvar, smoothed', apply: cameraOf(150, 'malvar', 0.6) },
  { name: 'camera, 500 electrons, chroma smoothed', apply: cameraOf(500, 'malvar', 0.6, 2.5) },
  { name: 'film grain, σ 12', apply: grain({ sigma: 12, radius: 0.8, common: 0.8 }) },
];
