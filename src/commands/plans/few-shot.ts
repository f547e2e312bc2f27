/** Training for few-shot learning: a folder with a folder of images for each class. */
import { basename } from 'node:path';
import { readClassFolders, type LabelledImages } from '../../data/class-folders.ts';
import { Random } from '../../data/random.ts';
import { fewShotTasks, settingsFor } from '../../evaluation/few-shot.ts';
import type { TestData } from '../../evaluation/measure.ts';
import { fewShotDefaults, type FewShotConfig } from '../../training/few-shot.ts';
import { trainFewShot } from '../../training/run.ts';
import { formOf, positive, readConfig, slug, type Flags, type Plan } from './plan.ts';

/** What a bundle's manifest promises: classes, images to learn from and queries of a request. */
const LIMITS = { K: 64, S: 256, Q: 512 };
/** The share of classes that are kept to measure on, where no folder is named for it. */
const HELD_OUT = 0.2;
/** Tasks of each kind that the threshold is calibrated on, and that are measured. */
const TASKS = 60;

export async function fewShotPlan(flags: Flags): Promise<Plan> {
  if (flags.data === undefined) throw new Error('few-shot needs a folder with a folder of images for each class: --data DIR.');
  if (flags.channels !== undefined && flags.channels !== '1' && flags.channels !== '3')
    throw new Error('--channels must be 1 (gray drawings) or 3 (colour).');
  const form = formOf<FewShotConfig['form']>(flags, { stop: 0, fixed: 0 }, 'stop');
  const defaults = fewShotDefaults[flags.channels === '1' ? 'drawings' : 'photographs'];
  const ways = flags.ways === undefined ? defaults.ways : [positive('--ways', flags.ways)];
  const config = await readConfig<FewShotConfig>({ ...defaults, ways, form }, flags);
  const read = (folder: string): Promise<LabelledImages> => readClassFolders(folder, config);
  const all = await read(flags.data);
  const folder = basename(flags.data);
  const { training, test } =
    flags.validate === undefined
      ? heldOut(all, folder, config)
      : { training: all, test: testOn(await read(flags.validate), basename(flags.validate), config) };
  return {
    task: 'few-shot',
    name: flags.name ?? slug(`few-shot-${folder}`),
    description: `Learns ${Math.max(...config.ways)} classes or fewer from ${config.shots.join(' to ')} images of each, by at most ${config.depth} gradient steps.`,
    baseline: form === 'fixed',
    limits: LIMITS,
    taskFiles: new Map(),
    test,
    run: (run) => trainFewShot(config, training, run),
  };
}

const testOn = (images: LabelledImages, folder: string, { ways, shots, queries, turns }: FewShotConfig): TestData =>
  fewShotTasks(images, folder, { settings: settingsFor(waysToTest(ways), shots), count: TASKS, queries, turns });

/** The most classes of a task in training, and five. */
const waysToTest = (ways: readonly number[]): number[] => {
  const most = Math.max(...ways);
  return most > 5 ? [most, 5] : [most];
};

/** Some classes are kept from training, at least as many as a task has. */
function heldOut(all: LabelledImages, folder: string, config: FewShotConfig): { training: LabelledImages; test: TestData } {
  const order = all.labels.map((_, k) => k);
  const random = new Random(config.seed);
  const least = Math.ceil(Math.max(...config.ways) / (config.turns ? 4 : 1));
  const count = Math.max(least, Math.floor(HELD_OUT * order.length));
  if (order.length - count < least) {
    throw new Error(
      `${folder} has ${order.length} classes; training and the measurement need ${least} each. Give more, name others by --validate, or lower --ways.`,
    );
  }
  const kept = new Set(Array.from({ length: count }, () => order.splice(random.integer(order.length), 1)[0]!));
  return {
    training: classesOf(all, (k) => !kept.has(k)),
    test: testOn(
      classesOf(all, (k) => kept.has(k)),
      `held out of ${folder}`,
      config,
    ),
  };
}

/** The images of some classes. */
function classesOf({ labels, images, classes }: LabelledImages, wanted: (k: number) => boolean): LabelledImages {
  const chosen = labels.flatMap((_, k) => (wanted(k) ? [k] : []));
  const which = images.flatMap((_, i) => (wanted(classes[i]!) ? [i] : []));
  return {
    labels: chosen.map((k) => labels[k]!),
    images: which.map((i) => images[i]!),
    classes: which.map((i) => chosen.indexOf(classes[i]!)),
  };
}
