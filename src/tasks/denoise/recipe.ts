/** How denoising models are trained and measured: on a folder of clean images. */
import { basename } from 'node:path';
import { channelsOf } from '../../bundle/manifest.ts';
import type { Planes } from '../../codecs/images.ts';
import { heldOutOf } from '../../data/held-out.ts';
import { readImageFolder } from '../../data/images.ts';
import { psnr } from '../../evaluation/metrics.ts';
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
import { denoiseBatches } from './batches.ts';
import { calibrateFlags, denoiseCalibration } from './calibration.ts';
import { denoiseDefaults, denoiseSchema, type DenoiseConfig } from './config.ts';
import { quantiseDenoiser } from './quantise.ts';
import { denoiseFamily, denoiseStages } from './stages.ts';
import { partOf, type Part } from './photographs.ts';
import { noisyImages, testSigmas } from './test-data.ts';

const trainFlags = {
  data: {
    type: 'string',
    value: 'DIR',
    help: 'clean images; three fifths, by a hash of their content, are trained on (required)',
  },
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
    return denoiseStages(config, denoiseBatches(config, images, random), random);
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
  async quantise(config, weights, folder, onProgress) {
    const { training } = await readParts(folder, config.channels);
    return quantiseDenoiser(config, weights, training, onProgress);
  },
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
  const { training, selection } = await readParts(flags.data, wanted);
  const channels = training[0]!.channels;
  const config = file.over(denoiseSchema, { ...denoiseDefaults[form], channels });
  const folder = basename(flags.data);
  const test =
    flags.validate === undefined
      ? noisyImages(selection, `held out of ${folder}`)
      : noisyImages(
          (await readImageFolder(flags.validate, channels)).images,
          basename(flags.validate),
        );
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

/** The images of the training and the selection part. Folders that are too small for both are divided nine to one. */
async function readParts(
  folder: string,
  channels?: 1 | 3,
): Promise<{ training: Planes[]; selection: Planes[] }> {
  const parts: Part[] = [];
  const { images } = await readImageFolder(folder, channels, (bytes) => {
    parts.push(partOf(bytes));
    return true;
  });
  const of = (part: Part): Planes[] => images.filter((_, i) => parts[i] === part);
  const [training, selection] = [of('training'), of('selection')];
  if (training.length > 0 && selection.length > 0) return { training, selection };
  const held = heldOutOf(images.length, 'image');
  return {
    training: images.filter((_, i) => !held(i)),
    selection: images.filter((_, i) => held(i)),
  };
}
