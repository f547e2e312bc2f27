/** Clean images with fresh noise, to measure denoising models on. */
import type { Manifest } from '../../bundle/manifest.ts';
import { multipleOf } from '../../bundle/shape.ts';
import type { Planes } from '../../codecs/images.ts';
import { crop } from '../../codecs/crop.ts';
import { addNoise } from '../../data/images.ts';
import { Random } from '../../data/random.ts';
import type { Condition, TestData } from '../../evaluation/data.ts';

/** Noise levels that bundles are measured at, of 255. */
export const testSigmas: readonly number[] = [15, 25, 35, 45, 55, 65, 75];

/** @param clipped whether the noise is clipped and rounded as in an 8-bit file */
export const noisyImages = (
  images: readonly Planes[],
  folder: string,
  { sigmas = testSigmas, clipped = false }: { sigmas?: readonly number[]; clipped?: boolean } = {},
): TestData => ({
  name: `${images.length} images, ${folder}${clipped ? ', 8-bit noise' : ''}`,
  conditions: (manifest, seed) => denoiseConditions(images, manifest, sigmas, seed, clipped),
});

/**
 * Every image at each noise level σ (of 255), sides cut to the multiples that the model takes.
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
