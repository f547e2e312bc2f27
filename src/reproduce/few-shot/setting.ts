/** The setting of the published experiment, the same for every part: Omniglot, turned images as classes of their own. */
import { loadBundles } from '../../bundle/read.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import { readClassFolders } from '../../data/class-folders.ts';
import { fewShotTasks, type Setting } from '../../evaluation/few-shot.ts';
import type { Condition } from '../../evaluation/data.ts';
import type { ReproduceOptions } from '../report.ts';

/** Seed of the test tasks. */
const SEED = 31_337;
/** MAML-stop, and MAML that always takes all its steps, learnt by the same code for as long. */
export const STOP = 'few-shot-omniglot';
export const FIXED = 'few-shot-omniglot-fixed';

export interface Published extends Setting {
  readonly name: string;
  /** Accuracy in %, of queries that were normalised together. */
  readonly maml: number;
  readonly stop: number;
}

export const published: readonly Published[] = [
  { name: '20-way, 1–5 shots', ways: 20, shots: [1, 5], maml: 97.96, stop: 98.45 },
  { name: '20-way, 1 shot', ways: 20, shots: [1, 1], maml: 95.8, stop: 96.05 },
  { name: '20-way, 5 shots', ways: 20, shots: [5, 5], maml: 98.9, stop: 98.94 },
  { name: '5-way, 1 shot', ways: 5, shots: [1, 1], maml: 98.7, stop: 99.62 },
  { name: '5-way, 5 shots', ways: 5, shots: [5, 5], maml: 99.1, stop: 99.68 },
];

/** The bundles that are there, MAML-stop first. @throws a sentence where MAML-stop is not */
export async function bundles(modelsDir: string): Promise<Manifest[]> {
  const { bundles: all } = await loadBundles(modelsDir);
  const found = [STOP, FIXED].flatMap((name) => all.filter(({ manifest }) => manifest.name === name).map(({ manifest }) => manifest));
  if (found[0]?.name !== STOP) throw new Error(`There is no model ${STOP} in ${modelsDir}.`);
  return found;
}

/** Tasks of classes that no training has seen, `count` of each setting. */
export async function testTasks(
  manifest: Manifest,
  { data, quick }: Pick<ReproduceOptions, 'data' | 'quick'>,
  settings: readonly Setting[],
  count = 600,
): Promise<Condition[]> {
  if (data === undefined) throw new Error('few-shot needs a folder with a folder of images for each test class: --data DIR.');
  const { shape } = manifest.inputs.find(({ name }) => name === 'query')!;
  const images = await readClassFolders(data, { side: Number(shape[3]), channels: Number(shape[2]) === 1 ? 1 : 3 });
  return fewShotTasks(images, data, { settings, count: quick ? 5 : count, queries: 5, turns: true }).conditions(manifest, SEED);
}

/** A mean and half the width of its interval, %. */
export const percent = (value: number, halfWidth: number | undefined): string =>
  `${value.toFixed(2)}${halfWidth === undefined ? '' : ` ± ${halfWidth.toFixed(2)}`}`;
