/** `evaluate`: quality, depth and time of a bundle, through the engine that serves. */
import { parseArgs } from 'node:util';
import { basename, join } from 'node:path';
import { loadBundles } from '../bundle/read.ts';
import { writeManifest } from '../bundle/write.ts';
import { channelsOf, type Manifest } from '../bundle/manifest.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import {
  freshSignals,
  labelledImages,
  matrixOf,
  noisyImages,
  ownSignals,
  readRecognizable,
  startEngine,
  type TestData,
} from '../evaluation/measure.ts';
import { pickImages, readClassFolders } from '../data/class-folders.ts';
import { readImageFolder } from '../data/images.ts';
import { readSignals } from '../data/signal-files.ts';
import { fewShotTasks } from '../evaluation/few-shot.ts';
import { ruleNames, type RuleName, type StoppingParameters } from '../stopping/parameters.ts';

export const usage = `npm run evaluate -- sparse-recovery|denoise|few-shot|recognize
  --model NAME       the task's default where absent       --data DIR        clean images (denoise)
  --sigma 35,45      noise levels (denoise)                --clipped         noise as in an 8-bit file (denoise)
  --snr 20,30,40     noise levels, dB (sparse-recovery)    --sparsity 0.1    share of entries that are not zero
  --data S.npy       signals of one's own, a row each (sparse-recovery)
  --data DIR         a folder of class folders (few-shot, recognize)
  --ways 20,5        classes of a task (few-shot)
  --shots 1-5,1,5    images of a class (few-shot)          --queries 5       queries of a class (few-shot)
  --upright          turned images are no other classes (few-shot)
  --count N          samples a condition                   --record          write the figures into the manifest
  --rule RULE        one of threshold (the default), confidence, sample, fixed
  --threshold X, --depth N, --seed N, --max-depth N
  --json             one JSON object on standard output`;

const options = {
  model: { type: 'string' },
  data: { type: 'string' },
  sigma: { type: 'string', default: '15,25,35,45,55,65,75' },
  clipped: { type: 'boolean', default: false },
  snr: { type: 'string', default: '20,30,40' },
  sparsity: { type: 'string', default: '0.1' },
  ways: { type: 'string' },
  shots: { type: 'string' },
  queries: { type: 'string', default: '5' },
  upright: { type: 'boolean', default: false },
  record: { type: 'boolean', default: false },
  count: { type: 'string' },
  rule: { type: 'string' },
  threshold: { type: 'string' },
  depth: { type: 'string' },
  seed: { type: 'string' },
  'max-depth': { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

const MODELS = process.env.MODELS_DIR ?? 'models';
const SEED = 4711;

export async function evaluateCommand(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const manifest = await choose(positionals[0], values.model, values.data);
  const test = await testData(manifest, values);
  const conditions = test.conditions(manifest, SEED);
  const stopping = stoppingOf(values);
  const engine = await startEngine(MODELS, [manifest.name]);
  try {
    let done = 0;
    const total = conditions.reduce((sum, { cases }) => sum + cases.length, 0);
    const rows = await evaluate(engine, manifest, conditions, stopping, () => {
      if (process.stderr.isTTY) process.stderr.write(`\r${++done} of ${total}`);
    });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    if (values.record) {
      const measured = {
        exits: manifest.measured?.exits ?? [],
        data: `${test.name}, seed ${SEED}`,
        threshold: rows,
      };
      await writeManifest(join(MODELS, manifest.name), { ...manifest, measured });
    }
    if (values.json)
      console.log(JSON.stringify({ model: manifest.name, task: manifest.task, rows }));
    else console.table(rows.map(({ condition, ...row }) => ({ ...condition, ...row })));
  } finally {
    await engine.close();
  }
}

type Values = ReturnType<
  typeof parseArgs<{ options: typeof options; allowPositionals: true }>
>['values'];

async function testData(manifest: Manifest, values: Values): Promise<TestData> {
  const count = number('--count', values.count);
  const list = (flag: 'sigma' | 'snr'): number[] =>
    values[flag].split(',').map((text) => number(`--${flag}`, text)!);
  if (manifest.task === 'recognize') return recognizeData(manifest, values.data!, count);
  if (manifest.task === 'few-shot') return fewShotData(manifest, values, count);
  if (manifest.task !== 'denoise') {
    const matrix = await matrixOf(manifest, MODELS);
    if (values.data !== undefined)
      return ownSignals(
        matrix,
        await readSignals(values.data, matrix),
        basename(values.data),
        list('snr'),
        count ?? 1000,
      );
    return freshSignals(
      matrix,
      { sparsity: number('--sparsity', values.sparsity)!, snr: list('snr') },
      count ?? 1000,
    );
  }
  const { images } = await readImageFolder(values.data!, channelsOf(manifest) === 1 ? 1 : 3);
  return noisyImages(images.slice(0, count), basename(values.data!), {
    sigmas: list('sigma'),
    clipped: values.clipped,
  });
}

/** The images of the model's classes below a folder, with --count every n-th of them. */
async function recognizeData(manifest: Manifest, data: string, count?: number): Promise<TestData> {
  const images = await readRecognizable(manifest, MODELS, data);
  const every = count === undefined ? 1 : Math.max(1, Math.floor(images.images.length / count));
  const chosen = images.images.flatMap((_, i) => (i % every === 0 ? [i] : []));
  return labelledImages(pickImages(images, chosen), basename(data));
}

/** Tasks of the classes below a folder; without flags those that the model was measured on. */
async function fewShotData(
  manifest: Manifest,
  { data, ways, shots, queries, upright }: Values,
  count = 600,
): Promise<TestData> {
  const { shape } = manifest.inputs.find(({ name }) => name === 'query')!;
  const images = await readClassFolders(data!, {
    side: Number(shape[3]),
    channels: Number(shape[2]) === 1 ? 1 : 3,
  });
  const measured = manifest.measured?.threshold.map(({ condition }) => condition) ?? [];
  const usual = (key: 'ways' | 'shots', otherwise: string): string =>
    [
      ...new Set(
        measured.flatMap(({ [key]: value }) => (value === undefined ? [] : [String(value)])),
      ),
    ].join(',') || otherwise;
  const settings = (ways ?? usual('ways', '5')).split(',').flatMap((way) =>
    (shots ?? usual('shots', '1-5,1,5')).split(',').map((range) => {
      const [least, most = least] = range.split('-').map((text) => number('--shots', text)!) as [
        number,
        number?,
      ];
      return { ways: number('--ways', way)!, shots: [least, most] as const };
    }),
  );
  return fewShotTasks(images, basename(data!), {
    settings,
    count,
    queries: number('--queries', queries)!,
    turns: Number(shape[2]) === 1 && !upright,
  });
}

async function choose(
  task: string | undefined,
  name: string | undefined,
  data: string | undefined,
): Promise<Manifest> {
  const { bundles } = await loadBundles(MODELS);
  const candidates = bundles
    .map(({ manifest }) => manifest)
    .filter((manifest) => manifest.task === task);
  if (candidates.length === 0)
    throw new Error(
      `${task ? `No model in ${MODELS} is for ${task}` : 'Say which task'}:\n${usage}`,
    );
  if (task === 'denoise' && data === undefined)
    throw new Error(`denoise needs a folder of clean images:\n${usage}`);
  if ((task === 'few-shot' || task === 'recognize') && data === undefined)
    throw new Error(`${task} needs a folder with a folder of images for each class:\n${usage}`);
  const chosen =
    name === undefined
      ? (candidates.find((manifest) => manifest.default) ?? candidates[0])
      : candidates.find((manifest) => manifest.name === name);
  if (!chosen)
    throw new Error(
      `There is no model ${name} for ${task}; there are ${candidates.map((manifest) => manifest.name).join(', ')}.`,
    );
  return chosen;
}

const isRule = (text: string | undefined): text is RuleName | undefined =>
  text === undefined || ruleNames.some((name) => name === text);

function stoppingOf(values: {
  rule?: string;
  threshold?: string;
  depth?: string;
  seed?: string;
  'max-depth'?: string;
}): StoppingParameters {
  const { rule } = values;
  if (!isRule(rule)) throw new Error(`--rule must be one of ${ruleNames.join(', ')}.`);
  const threshold = number('--threshold', values.threshold);
  const depth = number('--depth', values.depth);
  const seed = number('--seed', values.seed);
  const maxDepth = number('--max-depth', values['max-depth']);
  return {
    ...(rule && { rule }),
    ...(threshold !== undefined && { threshold }),
    ...(depth !== undefined && { depth }),
    ...(seed !== undefined && { seed }),
    ...(maxDepth !== undefined && { maxDepth }),
  };
}

function number(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new Error(`${flag} must be a number, not ${text}.`);
  return value;
}
