/** Training for denoising: a folder of clean images. */
import { basename } from 'node:path';
import type { Planes } from '../../codecs/images.ts';
import { readImageFolder } from '../../data/images.ts';
import { noisyImages, type TestData } from '../../evaluation/measure.ts';
import { denoiseDefaults, type DenoiseConfig } from '../../training/denoise.ts';
import { trainDenoise } from '../../training/run.ts';
import {
  formOf,
  heldOutOf,
  readConfig,
  slug,
  wantedChannels,
  type Flags,
  type Plan,
} from './plan.ts';

export async function denoisePlan(flags: Flags): Promise<Plan> {
  if (flags.data === undefined)
    throw new Error('denoise needs a folder of clean images: --data DIR.');
  const wanted = wantedChannels(flags);
  const form = formOf<DenoiseConfig['form']>(flags, denoiseDefaults, 'half');
  const { images } = await readImageFolder(flags.data, wanted);
  const channels = images[0]!.channels;
  const config = await readConfig<DenoiseConfig>({ ...denoiseDefaults[form], channels }, flags);
  const folder = basename(flags.data);
  const { training, test } =
    flags.validate === undefined
      ? heldOut(images, folder)
      : {
          training: images,
          test: noisyImages(
            (await readImageFolder(flags.validate, channels)).images,
            basename(flags.validate),
          ),
        };
  return {
    task: 'denoise',
    name: flags.name ?? slug(`denoise-${channels === 1 ? 'gray' : 'color'}-${folder}`),
    description: `Removes noise from ${channels === 1 ? 'gray' : 'colour'} images.`,
    baseline: form === 'published',
    taskFiles: new Map(),
    test,
    run: (run) => trainDenoise(config, training, run),
  };
}

function heldOut(
  images: readonly Planes[],
  folder: string,
): { training: Planes[]; test: TestData } {
  const kept = heldOutOf(images.length, 'image');
  return {
    training: images.filter((_, i) => !kept(i)),
    test: noisyImages(
      images.filter((_, i) => kept(i)),
      `held out of ${folder}`,
    ),
  };
}
