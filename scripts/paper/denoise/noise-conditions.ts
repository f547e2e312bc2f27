/** The named kinds of noise that reports measure. */
import type { Planes } from '../../../src/codecs/images.ts';
import type { Random } from '../../../src/data/random.ts';
import type { CameraSettings } from '../../../src/tasks/denoise/camera.ts';
import {
  camera,
  correlated,
  gaussian,
  grain,
  savedAsJpeg,
  shared,
  type Noise,
  type Noised,
} from '../../../src/tasks/denoise/conditions.ts';
import type { JpegOptions } from '../../../src/tasks/denoise/jpeg.ts';
import { toGray, toRgb } from '../../../src/tasks/denoise/planes.ts';

/** Noise on the gray image, stored in three equal channels. */
export const grayAsRgb =
  (noise: Noise): Noise =>
  (image, random) => {
    const { clean, noisy } = noise(toGray(image), random);
    return { clean: toRgb(clean), noisy: toRgb(noisy) };
  };

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
