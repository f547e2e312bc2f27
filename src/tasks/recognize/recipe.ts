/** How recognition models are trained and measured: on a folder with a folder of images for each class. */
import { basename } from 'node:path';
import { calibrateFlags, recognizeCalibration } from './calibration.ts';
import { LABELS } from './labels.ts';
import {
  fewestImages,
  holdOut,
  pickImages,
  readClassFolders,
  type LabelledImages,
} from '../../data/class-folders.ts';
import { LabelledSampler } from '../../data/labelled-batches.ts';
import { Random } from '../../data/random.ts';
import { accuracy } from '../../evaluation/metrics.ts';
import { tensor } from '../../runtime/session.ts';
import type { ConfigFile } from '../../training/config.ts';
import { perSample } from '../../training/export.ts';
import {
  toChannels,
  toForm,
  toNumber,
  type FlagsOf,
  type FlagTable,
} from '../../training/flags.ts';
import type { Source } from '../../training/stage-run.ts';
import {
  toBundleName,
  type Recipe,
  type TrainingPlan,
  type TrainingSetup,
} from '../../training/recipe.ts';
import type { Batches } from '../../training/stages.ts';
import { recognizeDefaults, recognizeSchema, type RecognizeConfig } from './config.ts';
import { recognizeFamily, recognizeStages } from './stages.ts';
import { labelledImages, readRecognizable } from './test-data.ts';

/** The share of each class that is held out to measure on without --validate. */
const HELD_OUT = 0.1;

const trainFlags = {
  data: {
    type: 'string',
    value: 'DIR',
    help: 'a folder with a folder of images for each class (required)',
  },
  validate: {
    type: 'string',
    value: 'DIR',
    help: 'such a folder to measure on; a tenth of each class of --data where absent',
  },
  form: { type: 'string', value: 'FORM', help: 'sdn' },
  channels: { type: 'string', value: '1|3', help: 'gray or colour (the default)' },
} as const satisfies FlagTable;

const evaluateFlags = {
  data: {
    type: 'string',
    value: 'DIR',
    help: 'a folder with a folder of images for each class (required)',
  },
  count: { type: 'string', value: 'N', help: 'about N images, evenly spread; all where absent' },
} as const satisfies FlagTable;

const NO_DATA = 'recognize needs a folder with one folder of images for each class: --data DIR.';

/** Recipe of recognition: trained on class folders, measured by accuracy. */
export const recognize: Recipe<RecognizeConfig, LabelledImages> = {
  task: 'recognize',
  schema: recognizeSchema,
  defaults: { ...recognizeDefaults.sdn, channels: 3 },
  flopsUnit: perSample,
  metric: accuracy,
  calibrationLoss: 0.2,
  trainFlags,
  evaluateFlags,
  calibrateFlags,
  plan,
  setUp,
  describe: ({ images, labels }) => `${images.length} images of ${labels.length} classes`,
  family: (config, { outputs }) => recognizeFamily(config, Number(outputs[0]!.shape[1])),
  async testData({ data, count }: FlagsOf<typeof evaluateFlags>, manifest, modelsDir) {
    if (data === undefined) throw new Error(NO_DATA);
    const images = await readRecognizable(manifest, modelsDir, data);
    const wanted = count === undefined ? images.images.length : toNumber('--count', count);
    const every = Math.max(1, Math.floor(images.images.length / wanted));
    const chosen = images.images.flatMap((_, i) => (i % every === 0 ? [i] : []));
    return labelledImages(pickImages(images, chosen), basename(data));
  },
  traffic: recognizeCalibration,
  areRivals: () => true,
};

async function plan(
  flags: FlagsOf<typeof trainFlags>,
  file: ConfigFile,
): Promise<TrainingPlan<RecognizeConfig, LabelledImages>> {
  if (flags.data === undefined) throw new Error(NO_DATA);
  const form = toForm(flags.form, recognizeDefaults, 'sdn');
  const channels = toChannels(flags.channels) ?? 3;
  const config = file.over(recognizeSchema, { ...recognizeDefaults[form], channels });
  const { side } = config;
  const given = await readClassFolders(flags.data, { side, channels });
  const { labels } = given;
  const folder = basename(flags.data);
  const { training, held } =
    flags.validate === undefined
      ? holdOut(given, HELD_OUT, new Random(config.seed + 99))
      : {
          training: given,
          held: await readClassFolders(flags.validate, { side, channels, labels }),
        };
  // The policy looks too good on the images it learnt from, so they calibrate only where there are too few others.
  const halves =
    fewestImages(held) > 1
      ? holdOut(held, 0.5, new Random(config.seed + 98))
      : { training: held, held: splitForPolicy(config, training).held };
  const measuredOn =
    flags.validate === undefined ? `held out of ${folder}` : basename(flags.validate);
  return {
    config,
    data: training,
    name: toBundleName(`recognize-${folder}`),
    description: `Recognises ${labels.length} classes in images.`,
    baseline: false,
    taskFiles: new Map([[LABELS, Buffer.from(`${JSON.stringify(labels, null, 1)}\n`)]]),
    test: labelledImages(halves.training, measuredOn, halves.held),
  };
}

/** The images that the layers learn from (`training`), and those that the policy learns from (`held`). */
const splitForPolicy = (
  { held, seed }: RecognizeConfig,
  data: LabelledImages,
): ReturnType<typeof holdOut> => holdOut(data, held, new Random(seed));

function setUp(config: RecognizeConfig, data: LabelledImages): TrainingSetup {
  const { batch, channels, side, seed } = config;
  const { training, held } = splitForPolicy(config, data);
  const whole = { ...config, crop: side, smoothing: 0 };
  const shift = config.crop < side ? 0 : config.shift;
  const samplers = [
    new LabelledSampler(training, seed, batch, { ...config, shift }),
    new LabelledSampler(training, seed + 1, batch, whole),
    new LabelledSampler(held, seed + 2, batch, whole),
  ] as const;
  const classes = data.labels.length;
  const batches = (sampler: LabelledSampler, size: number): Batches => ({
    next() {
      const { image, truth } = sampler.next();
      return {
        image: tensor(image, [batch, channels, size, size]),
        truth: tensor(truth, [batch, classes]),
      };
    },
  });
  const source: Source = {
    state: () => samplers.map((sampler) => sampler.state()),
    restore: (states) =>
      samplers.forEach((sampler, i) => {
        sampler.restore(Array.isArray(states) ? states[i] : undefined);
      }),
  };
  return {
    ...recognizeStages(config, classes, {
      layers: batches(samplers[0], config.crop),
      whole: batches(samplers[1], side),
      policy: batches(samplers[2], side),
    }),
    source,
  };
}
