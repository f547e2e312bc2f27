/** What every part compares: a model that stops, the same with all its steps always, and the tasks they are asked. */
import { loadBundles } from '../../../src/bundle/read.ts';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { readClassFolders } from '../../../src/data/class-folders.ts';
import { fewShotTasks, settingsFor, type Setting } from '../../../src/tasks/few-shot/test-data.ts';
import type { Condition } from '../../../src/evaluation/data.ts';
import type { FewShotConfig } from '../../../src/tasks/few-shot/config.ts';
import { fewShot } from '../../../src/tasks/learning.ts';
import { configOf } from '../../../src/training/from-bundle.ts';
import type { ReproduceOptions } from '../report.ts';

/** Seed of the test tasks. */
const SEED = 31_337;
/** The model that is compared where none is named, on the data of the published table. */
const USUAL = 'few-shot-omniglot';

export interface Row extends Setting {
  readonly name: string;
  /** Accuracy in % of MAML and MAML-stop as published, of queries that were normalised together; none on other data. */
  readonly published?: { readonly maml: number; readonly stop: number };
}

const omniglot: readonly Row[] = [
  { name: '20-way, 1–5 shots', ways: 20, shots: [1, 5], published: { maml: 97.96, stop: 98.45 } },
  { name: '20-way, 1 shot', ways: 20, shots: [1, 1], published: { maml: 95.8, stop: 96.05 } },
  { name: '20-way, 5 shots', ways: 20, shots: [5, 5], published: { maml: 98.9, stop: 98.94 } },
  { name: '5-way, 1 shot', ways: 5, shots: [1, 1], published: { maml: 98.7, stop: 99.62 } },
  { name: '5-way, 5 shots', ways: 5, shots: [5, 5], published: { maml: 99.1, stop: 99.68 } },
];

export interface Compared {
  /** MAML-stop, … */
  readonly stop: Manifest;
  /** … and MAML that always takes all its steps, learnt by the same code for as long: NAME-fixed, where it is there. */
  readonly fixed?: Manifest;
  readonly config: FewShotConfig;
  /** Kinds of tasks, those of the published table for the usual model. */
  readonly rows: readonly Row[];
}

/** @throws a sentence where the model is not there, or is none for few-shot learning that this project trained */
export async function compared({ modelsDir, model = USUAL }: ReproduceOptions): Promise<Compared> {
  const { bundles } = await loadBundles(modelsDir);
  const found = (name: string) =>
    bundles.find(({ manifest }) => manifest.task === 'few-shot' && manifest.name === name)
      ?.manifest;
  const [stop, fixed] = [found(model), found(`${model}-fixed`)];
  if (!stop) throw new Error(`There is no model ${model} for few-shot learning in ${modelsDir}.`);
  const config = configOf(fewShot, stop);
  const rows =
    model === USUAL ? omniglot : settingsFor([Math.max(...config.ways)], config.shots).map(named);
  return { stop, ...(fixed && { fixed }), config, rows };
}

const named = ({ ways, shots: [least, most] }: Setting): Row => ({
  name: `${ways}-way, ${least === most ? '' : `${least}–`}${shotsName(most)}`,
  ways,
  shots: [least, most],
});

export const shotsName = (shots: number): string => `${shots} shot${shots > 1 ? 's' : ''}`;

/** Tasks of classes that no training has seen, `count` of each setting. */
export async function testTasks(
  { stop, config }: Compared,
  { data, quick }: Pick<ReproduceOptions, 'data' | 'quick'>,
  settings: readonly Setting[],
  count: number,
): Promise<Condition[]> {
  if (data === undefined)
    throw new Error(
      'few-shot needs a folder with a folder of images for each test class: --data DIR.',
    );
  const images = await readClassFolders(data, config);
  return fewShotTasks(images, data, {
    settings,
    count: quick ? 5 : count,
    queries: 5,
    turns: config.turns,
  }).conditions(stop, SEED);
}

/** A mean and half the width of its interval, %. */
export const percent = (value: number, halfWidth: number | undefined): string =>
  `${value.toFixed(2)}${halfWidth === undefined ? '' : ` ± ${halfWidth.toFixed(2)}`}`;
