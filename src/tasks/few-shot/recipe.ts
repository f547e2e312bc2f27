/** Training for few-shot learning: a folder with a folder of images for each class. */
import { basename } from 'node:path';
import { holdOutClasses, readClassFolders, type LabelledImages } from '../../data/class-folders.ts';
import { Random } from '../../data/random.ts';
import { fewShotTasks, settingsFor } from '../../evaluation/few-shot.ts';
import type { TestData } from '../../evaluation/measure.ts';
import { fewShotDefaults, leastClasses, type FewShotConfig } from '../../training/few-shot.ts';
import { classesForPolicy, trainFewShot } from '../../training/run.ts';
import {
  formOf,
  positive,
  readConfig,
  slug,
  wantedChannels,
  type Flags,
  type Plan,
} from './plan.ts';

/** What a bundle's manifest promises: classes, images to learn from and queries of a request. */
const LIMITS = { K: 64, S: 256, Q: 512 };
/** The share of classes that are kept to measure on, where no folder is named for it. */
const HELD_OUT = 0.2;
/** Seed of the tasks that the threshold is calibrated on. */
const CALIBRATION_SEED = 9_001;
/** Tasks of each kind that the threshold is calibrated on, and that are measured. */
const TASKS = 60;

export async function fewShotPlan(flags: Flags): Promise<Plan> {
  if (flags.data === undefined)
    throw new Error('few-shot needs a folder with a folder of images for each class: --data DIR.');
  const form = formOf<FewShotConfig['form']>(flags, { stop: 0, fixed: 0 }, 'stop');
  const defaults = fewShotDefaults[wantedChannels(flags) === 1 ? 'drawings' : 'photographs'];
  const ways = flags.ways === undefined ? undefined : [positive('--ways', flags.ways)];
  const asked = ways ? { ...defaults, ways, stageTwo: { ...defaults.stageTwo, ways } } : defaults;
  const config = await readConfig<FewShotConfig>({ ...asked, form }, flags);
  if (!['first', 'second'].includes(config.order))
    throw new Error(`order must be first or second, not ${config.order}.`);
  const read = (folder: string): Promise<LabelledImages> => readClassFolders(folder, config);
  const all = await read(flags.data);
  const folder = basename(flags.data);
  const { training, test } =
    flags.validate === undefined
      ? heldOut(all, folder, config)
      : { training: all, test: await read(flags.validate) };
  const name = flags.validate === undefined ? `held out of ${folder}` : basename(flags.validate);
  return {
    task: 'few-shot',
    name: flags.name ?? slug(`few-shot-${folder}`),
    description: `Learns ${Math.max(...config.ways)} classes or fewer from ${config.shots.join(' to ')} images of each, by at most ${config.depth} gradient steps.`,
    baseline: form === 'fixed',
    limits: LIMITS,
    taskFiles: new Map(),
    test: testOn(test, name, config, classesForPolicy(config, training)),
    run: (run) => trainFewShot(config, training, run),
  };
}

/** Measured on the tasks of `images`; calibrated on those of the classes that are the policy's alone, where it has any. */
function testOn(
  images: LabelledImages,
  folder: string,
  { ways, shots, queries, turns }: FewShotConfig,
  { policy, apart }: ReturnType<typeof classesForPolicy>,
): TestData {
  const settings = { settings: settingsFor(waysToTest(ways), shots), count: TASKS, queries, turns };
  const test = fewShotTasks(images, folder, settings);
  if (!apart) return test;
  const known = fewShotTasks(policy, folder, settings);
  return { ...test, calibration: (manifest) => known.conditions(manifest, CALIBRATION_SEED) };
}

/** The most classes of a task in training, and five. */
const waysToTest = (ways: readonly number[]): number[] => {
  const most = Math.max(...ways);
  return most > 5 ? [most, 5] : [most];
};

/** Some classes are kept from training, at least as many as a task has. */
function heldOut(
  all: LabelledImages,
  folder: string,
  config: FewShotConfig,
): { training: LabelledImages; test: LabelledImages } {
  const least = leastClasses(config);
  const classes = all.labels.length;
  const count = Math.max(least, Math.floor(HELD_OUT * classes));
  if (classes - count < least) {
    throw new Error(
      `${folder} has ${classes} classes; training and the measurement need ${least} each. Give more, name others by --validate, or lower --ways.`,
    );
  }
  const { training, held } = holdOutClasses(all, count, new Random(config.seed));
  return { training, test: held };
}
