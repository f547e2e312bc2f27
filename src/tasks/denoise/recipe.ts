/** How denoising models are trained and measured: on a folder of clean images. */
import { basename } from 'node:path';
import { channelsOf } from '../../bundle/manifest.ts';
import type { Planes } from '../../codecs/images.ts';
import { heldOutOf } from '../../data/held-out.ts';
import { PatchSampler, readImageFolder } from '../../data/images.ts';
import type { Random } from '../../data/random.ts';
import type { TestData } from '../../evaluation/data.ts';
import { psnr } from '../../evaluation/metrics.ts';
import { tensor } from '../../runtime/session.ts';
import type { ConfigFile } from '../../training/config.ts';
import { perPixel } from '../../training/export.ts';
import {
  toChannels,
  toForm,
  toNumber,
  toNumbers,
  type FlagsOf,
  type FlagTable,
} from '../../training/flags.ts';
import { toBundleName, type Recipe, type TrainingPlan } from '../../training/recipe.ts';
import type { Batches } from '../../training/stages.ts';
import { calibrateFlags, denoiseCalibration } from './calibration.ts';
import { denoiseDefaults, denoiseSchema, type DenoiseConfig } from './config.ts';
import { denoiseFamily, denoiseStages, usualError } from './stages.ts';
import { noisyImages, testSigmas } from './test-data.ts';

const trainFlags = {
  data: { type: 'string', value: 'DIR', help: 'clean images (required)' },
  validate: {
    type: 'string',
    value: 'DIR',
    help: 'clean images to measure on; a tenth of --data where absent',
  },
  form: { type: 'string', value: 'FORM', help: 'half (the default) or published' },
  channels: {
    type: 'string',
    value: '1|3',
    help: 'gray or colour; by the images where absent',
  },
} as const satisfies FlagTable;

const evaluateFlags = {
  data: { type: 'string', value: 'DIR', help: 'clean images (required)' },
  sigma: {
    type: 'string',
    value: 'LIST',
    default: testSigmas.join(','),
    help: 'noise levels, of 255',
  },
  clipped: {
    type: 'boolean',
    default: false,
    help: 'clip and round the noise as in an 8-bit file',
  },
  count: { type: 'string', value: 'N', help: 'only the first N images' },
} as const satisfies FlagTable;

/** Recipe of denoising: trained on noisy patches of clean images, measured by PSNR (dB). */
export const denoise: Recipe<DenoiseConfig, readonly Planes[]> = {
  task: 'denoise',
  schema: denoiseSchema,
  defaults: { ...denoiseDefaults.half, channels: 1 },
  flopsUnit: perPixel,
  metric: psnr,
  calibrationLoss: 0.04,
  trainFlags,
  evaluateFlags,
  calibrateFlags,
  plan,
  setUp(config, images, random) {
    return denoiseStages(config, patches(config, images, random));
  },
  describe: (images) => `${images.length} images`,
  family: denoiseFamily,
  async testData({ data, sigma, clipped, count }: FlagsOf<typeof evaluateFlags>, manifest) {
    if (data === undefined) throw new Error('denoise needs a folder of clean images: --data DIR.');
    const { images } = await readImageFolder(data, channelsOf(manifest) === 1 ? 1 : 3);
    const limit = count === undefined ? undefined : toNumber('--count', count);
    return noisyImages(images.slice(0, limit), basename(data), {
      sigmas: toNumbers('--sigma', sigma),
      clipped,
    });
  },
  traffic: denoiseCalibration,
  areRivals: (a, b) => channelsOf(a) === channelsOf(b),
};

async function plan(
  flags: FlagsOf<typeof trainFlags>,
  file: ConfigFile,
): Promise<TrainingPlan<DenoiseConfig, readonly Planes[]>> {
  if (flags.data === undefined)
    throw new Error('denoise needs a folder of clean images: --data DIR.');
  const wanted = toChannels(flags.channels);
  const form = toForm(flags.form, denoiseDefaults, 'half');
  const { images } = await readImageFolder(flags.data, wanted);
  const channels = images[0]!.channels;
  const config = file.over(denoiseSchema, { ...denoiseDefaults[form], channels });
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
    config,
    data: training,
    name: toBundleName(`denoise-${channels === 1 ? 'gray' : 'color'}-${folder}`),
    description: `Removes noise from ${channels === 1 ? 'gray' : 'colour'} images.`,
    baseline: form === 'published',
    taskFiles: new Map(),
    test,
  };
}

function heldOut(
  images: readonly Planes[],
  folder: string,
): { training: Planes[]; test: TestData } {
  const held = heldOutOf(images.length, 'image');
  return {
    training: images.filter((_, i) => !held(i)),
    test: noisyImages(
      images.filter((_, i) => held(i)),
      `held out of ${folder}`,
    ),
  };
}

/** Batches of noisy patches: `image` and `clean` [N,C,P,P], `weight` [N]. */
function patches(config: DenoiseConfig, images: readonly Planes[], random: Random): Batches {
  const { channels, batch, patch } = config;
  const sampler = new PatchSampler(images, random, patch, batch, config);
  const dims = [batch, channels, patch, patch];
  return {
    next(progress) {
      const { image, clean, sigma } = sampler.next(progress);
      const weight = Float32Array.from(sigma, (value) => 1 / usualError(value));
      return {
        image: tensor(image, dims),
        clean: tensor(clean, dims),
        weight: tensor(weight, [batch]),
      };
    },
  };
}
