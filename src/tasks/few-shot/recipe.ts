/** How few-shot models are trained and measured: on a folder with a folder of images for each class. */
import { basename } from 'node:path';
import type { Manifest } from '../../bundle/manifest.ts';
import { fewestImages, holdOutClasses, type LabelledImages } from '../../data/class-folders.ts';
import { EpisodeSampler } from '../../data/episodes.ts';
import { Random } from '../../data/random.ts';
import type { TestData } from '../../evaluation/data.ts';
import { accuracy } from '../../evaluation/metrics.ts';
import type { ConfigFile } from '../../training/config.ts';
import {
  toChannels,
  toForm,
  toNumber,
  toPositive,
  type FlagsOf,
  type FlagTable,
} from '../../training/flags.ts';
import { toBundleName, type Recipe, type TrainingPlan } from '../../training/recipe.ts';
import { calibrateFlags, fewShotCalibration } from './calibration.ts';
import { kindOf, prepared, preparation, readClasses } from './drawings.ts';
import { fewestClasses, splitClasses, type SplitClasses } from './classes.ts';
import { fewShotDefaults, fewShotSchema, perTask, type FewShotConfig } from './config.ts';
import { fewShotFamily, fewShotStages, toBatch, type FewShotBatches } from './stages.ts';
import { fewShotTasks, settingsFor, type Setting } from './test-data.ts';
import { varyDrawings } from './traffic.ts';

/** The limits in a bundle's manifest: classes, support images and queries of a request. */
const LIMITS = { K: 64, S: 256, Q: 512 };
/** The share of classes that are held out to measure on without --validate. */
const HELD_OUT = 0.2;
/** Seed of the tasks that the threshold is calibrated on. */
const CALIBRATION_SEED = 9_001;
/** Tasks of each kind that a bundle is calibrated and measured on after training. */
const TASKS = 60;
/** Tasks of each kind that `evaluate` draws where no number is given. */
const EVALUATED = 600;

const trainFlags = {
  data: {
    type: 'string',
    value: 'DIR',
    help: 'a folder with a folder of images for each class (required)',
  },
  validate: {
    type: 'string',
    value: 'DIR',
    help: 'such a folder of other classes to measure on; a fifth of the classes of --data where absent',
  },
  ways: { type: 'string', value: 'N', help: 'most classes of a task' },
  form: { type: 'string', value: 'FORM', help: 'stop (the default) or fixed' },
  channels: {
    type: 'string',
    value: '1|3',
    help: '1 for drawings; 3 for photographs (the default)',
  },
} as const satisfies FlagTable;

const evaluateFlags = {
  data: {
    type: 'string',
    value: 'DIR',
    help: 'a folder with a folder of images for each class (required)',
  },
  ways: {
    type: 'string',
    value: 'LIST',
    help: 'classes of a task; those the model was measured with where absent',
  },
  shots: {
    type: 'string',
    value: 'LIST',
    help: 'images of a class, such as 1-5,1,5; those the model was measured with where absent',
  },
  queries: { type: 'string', value: 'N', default: '5', help: 'queries of a class' },
  upright: {
    type: 'boolean',
    default: false,
    help: 'turned drawings are not classes of their own',
  },
  count: {
    type: 'string',
    value: 'N',
    default: String(EVALUATED),
    help: 'tasks of each condition',
  },
} as const satisfies FlagTable;

const NO_DATA = 'few-shot needs a folder with a folder of images for each class: --data DIR.';

/** Recipe of few-shot learning: trained on tasks drawn from class folders, measured by accuracy. */
export const fewShot: Recipe<FewShotConfig, LabelledImages> = {
  task: 'few-shot',
  schema: fewShotSchema,
  defaults: { ...fewShotDefaults.photographs, form: 'stop' },
  flopsUnit: perTask,
  metric: accuracy,
  calibrationLoss: 0.1,
  trainFlags,
  evaluateFlags,
  calibrateFlags,
  plan,
  setUp: (config, images, random) => fewShotStages(config, episodes(config, images, random)),
  describe: ({ images, labels }) => `${images.length} images of ${labels.length} classes`,
  family: fewShotFamily,
  testData,
  traffic: fewShotCalibration,
  areRivals: () => true,
};

async function plan(
  flags: FlagsOf<typeof trainFlags>,
  file: ConfigFile,
): Promise<TrainingPlan<FewShotConfig, LabelledImages>> {
  if (flags.data === undefined) throw new Error(NO_DATA);
  const form = toForm<FewShotConfig['form']>(flags.form, { stop: 0, fixed: 0 }, 'stop');
  const defaults = fewShotDefaults[toChannels(flags.channels) === 1 ? 'drawings' : 'photographs'];
  const ways = flags.ways === undefined ? undefined : [toPositive('--ways', flags.ways)];
  const asked = ways ? { ...defaults, ways, stageTwo: { ...defaults.stageTwo, ways } } : defaults;
  const steps = form === 'stop' ? {} : allSteps(defaults);
  const config = file.over(fewShotSchema, { ...asked, ...steps, form });
  const read = (folder: string): Promise<LabelledImages> => readClasses(folder, config);
  const all = await read(flags.data);
  const folder = basename(flags.data);
  const { training, test } =
    flags.validate === undefined
      ? heldOut(all, folder, config)
      : { training: all, test: await read(flags.validate) };
  const name = flags.validate === undefined ? `held out of ${folder}` : basename(flags.validate);
  return {
    config,
    data: training,
    name: toBundleName(`few-shot-${folder}`),
    description: `Learns ${Math.max(...config.ways)} classes or fewer from ${config.shots.join(' to ')} images of each, by at most ${config.depth} gradient steps.`,
    baseline: form === 'fixed',
    requests: { limits: LIMITS, ...(config.drawings && { drawings: true }) },
    taskFiles: new Map(),
    test: testOn(test, name, config, splitClasses(config, training)),
  };
}

/** A fixed number of steps has the start as its step 1, and one exit. */
const allSteps = ({
  depth,
}: Pick<FewShotConfig, 'depth'>): Pick<FewShotConfig, 'depth' | 'exits'> => ({
  depth: depth + 1,
  exits: [depth + 1],
});

/** Measured on the tasks of `images`; calibrated on those of the policy's own classes, where it has any. */
function testOn(
  images: LabelledImages,
  folder: string,
  config: FewShotConfig,
  { policy, separate }: SplitClasses,
): TestData {
  const { ways, shots, queries, turns } = config;
  const settings = { settings: settingsFor(waysToTest(ways), shots), count: TASKS, queries, turns };
  const test = fewShotTasks(prepared(images, config), folder, settings);
  if (!separate) return test;
  const calibration = fewShotTasks(prepared(policy, config), folder, settings);
  return { ...test, calibration: (manifest) => calibration.conditions(manifest, CALIBRATION_SEED) };
}

/** The most classes of a task in training, and five. */
const waysToTest = (ways: readonly number[]): number[] => {
  const most = Math.max(...ways);
  return most > 5 ? [most, 5] : [most];
};

/** Holds some classes out, at least as many as a task has. */
function heldOut(
  all: LabelledImages,
  folder: string,
  config: FewShotConfig,
): { training: LabelledImages; test: LabelledImages } {
  const least = fewestClasses(config);
  const classes = all.labels.length;
  const count = Math.max(least, Math.floor(HELD_OUT * classes));
  if (classes - count < least)
    throw new Error(
      `${folder} has ${classes} classes; training and the measurement need ${least} each. Give more, name others by --validate, or lower --ways.`,
    );
  const { training, held } = holdOutClasses(all, count, new Random(config.seed));
  return { training, test: held };
}

/** Tasks that the layers and the policy learn from. */
function episodes(config: FewShotConfig, images: LabelledImages, random: Random): FewShotBatches {
  const { layers, policy: held } = splitClasses(config, images);
  const policy = prepared(held, config);
  const draw = (sampler: EpisodeSampler, count: number) =>
    toBatch(
      Array.from({ length: count }, () => sampler.next()),
      config,
    );
  const { augment, drawings, side, stageTwo, seed } = config;
  const vary = drawings ? varyDrawings({ side, prepare: preparation(side) }) : augment;
  const sampler = new EpisodeSampler(layers, random, { ...config, turns: augment.turns }, vary);
  return {
    next: () => draw(sampler, config.batch),
    policyTasks() {
      const queries = Math.max(
        config.queries,
        Math.min(stageTwo.queries, fewestImages(policy) - config.shots[1]),
      );
      const options = { ...config, ways: stageTwo.ways, queries };
      const tasks = new EpisodeSampler(policy, new Random(seed + 2), options);
      return () => draw(tasks, 1);
    },
    random,
  };
}

/** Tasks of the classes below a folder; without flags of the kinds that the model was measured on. */
async function testData(
  { data, ways, shots, queries, upright, count }: FlagsOf<typeof evaluateFlags>,
  manifest: Manifest,
): Promise<TestData> {
  if (data === undefined) throw new Error(NO_DATA);
  const kind = kindOf(manifest);
  const images = prepared(await readClasses(data, kind), kind);
  const measured = (key: 'ways' | 'shots'): string | undefined =>
    [
      ...new Set(
        (manifest.measured?.threshold ?? []).flatMap(({ condition: { [key]: value } }) =>
          value === undefined ? [] : [String(value)],
        ),
      ),
    ].join(',') || undefined;
  return fewShotTasks(images, basename(data), {
    settings: toSettings(ways ?? measured('ways') ?? '5', shots ?? measured('shots') ?? '1-5,1,5'),
    count: toNumber('--count', count),
    queries: toNumber('--queries', queries),
    turns: kind.channels === 1 && !upright,
  });
}

/** Every number of classes with every range of shots, such as `20,5` and `1-5,1,5`. */
const toSettings = (ways: string, shots: string): Setting[] =>
  ways.split(',').flatMap((way) =>
    shots.split(',').map((range) => {
      const [least = 0, most = least] = range.split('-').map((text) => toNumber('--shots', text));
      return { ways: toNumber('--ways', way), shots: [least, most] };
    }),
  );
