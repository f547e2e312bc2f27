/** Kinds of noise as functions of an image. */
import { decodeImage, encodeImage, type Planes } from '../../codecs/images.ts';
import { fillFromTable } from '../../data/normal-table.ts';
import type { Random } from '../../data/random.ts';
import { takePhoto, type CameraSettings } from './camera.ts';
import type { JpegOptions } from './jpeg.ts';
import { convolve, gaussianKernel, planesOf, roundTo8Bits, toGray } from './planes.ts';

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

/**
 * Gaussian noise that was blurred, as after demosaicing, resizing or noise reduction.
 *
 * @param radius of the blur, pixels
 * @public reports measure it
 */
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
