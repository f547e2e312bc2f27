/** What all parts share: a model that stops early, its counterpart with a fixed number of steps, and the test tasks. */
import { loadBundles } from '../../../src/bundle/read.ts';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { prepared, readClasses } from '../../../src/tasks/few-shot/drawings.ts';
import { fewShotTasks, settingsFor, type Setting } from '../../../src/tasks/few-shot/test-data.ts';
import type { Condition } from '../../../src/evaluation/data.ts';
import type { FewShotConfig } from '../../../src/tasks/few-shot/config.ts';
import { fewShot } from '../../../src/tasks/learning.ts';
import { configOf } from '../../../src/training/from-bundle.ts';
import type { ReproduceOptions } from '../report.ts';

/** Seed of the test tasks. */
const SEED = 31_337;
/** The default model; its test tasks are those of the published table. */
const DEFAULT_MODEL = 'few-shot-omniglot';

export interface Row extends Setting {
  readonly name: string;
  /** Accuracy in % of MAML and MAML-stop as published, with queries normalised together; absent for other data. */
  readonly published?: { readonly maml: number; readonly stop: number };
}

const omniglot: readonly Row[] = [
  { name: '20-way, 1–5 shots', ways: 20, shots: [1, 5], published: { maml: 97.96, stop: 98.45 } },
  { name: '20-way, 1 shot', ways: 20, shots: [1, 1], published: { maml: 95.8, stop: 96.05 } },
  { name: '20-way, 5 shots', ways: 20, shots: [5, 5], published: { maml: 98.9, stop: 98.94 } },
  { name: '5-way, 1 shot', ways: 5, shots: [1, 1], published: { maml: 98.7, stop: 99.62 } },
  { name: '5-way, 5 shots', ways: 5, shots: [5, 5], published: { maml: 99.1, stop: 99.68 } },
];

export interface ModelPair {
  /** MAML-stop. */
  readonly stop: Manifest;
  /** The bundle NAME-fixed, if it exists: MAML with a fixed number of steps, trained by the same code for as long. */
  readonly fixed?: Manifest;
  readonly config: FewShotConfig;
  /** Settings to measure; for the default model those of the published table. */
  readonly rows: readonly Row[];
}

/** @throws Error if the bundle is missing, is not for few-shot learning, or lacks its training configuration */
export async function loadModels({
  modelsDir,
  model = DEFAULT_MODEL,
}: ReproduceOptions): Promise<ModelPair> {
  const { bundles } = await loadBundles(modelsDir);
  const found = (name: string) =>
    bundles.find(({ manifest }) => manifest.task === 'few-shot' && manifest.name === name)
      ?.manifest;
  const [stop, fixed] = [found(model), found(`${model}-fixed`)];
  if (!stop) throw new Error(`There is no model ${model} for few-shot learning in ${modelsDir}.`);
  const config = configOf(fewShot, stop);
  const rows =
    model === DEFAULT_MODEL
      ? omniglot
      : settingsFor([Math.max(...config.ways)], config.shots).map(named);
  return { stop, ...(fixed && { fixed }), config, rows };
}

const named = ({ ways, shots: [least, most] }: Setting): Row => ({
  name: `${ways}-way, ${least === most ? '' : `${least}–`}${shotsName(most)}`,
  ways,
  shots: [least, most],
});

export const shotsName = (shots: number): string => `${shots} shot${shots > 1 ? 's' : ''}`;

/** Test tasks of the classes in `data`, `count` for each setting. @throws Error without `data`. */
export async function testTasks(
  { stop, config }: ModelPair,
  { data, quick }: Pick<ReproduceOptions, 'data' | 'quick'>,
  settings: readonly Setting[],
  count: number,
): Promise<Condition[]> {
  if (data === undefined)
    throw new Error(
      'few-shot needs a folder with a folder of images for each test class: --data DIR.',
    );
  const images = prepared(await readClasses(data, config), config);
  return fewShotTasks(images, data, {
    settings,
    count: quick ? 5 : count,
    queries: 5,
    turns: config.turns,
  }).conditions(stop, SEED);
}

/** A mean with the half-width of its 95 % confidence interval, %. */
export const percent = (value: number, halfWidth: number | undefined): string =>
  `${value.toFixed(2)}${halfWidth === undefined ? '' : ` ± ${halfWidth.toFixed(2)}`}`;
