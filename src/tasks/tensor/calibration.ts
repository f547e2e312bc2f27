/** The traffic that a network of any task is calibrated on: samples from files, each one a request. */
import { basename } from 'node:path';
import type { Manifest } from '../../bundle/manifest.ts';
import { pickRows } from '../../data/tensor-files.ts';
import { accuracy, relativeError } from '../../evaluation/metrics.ts';
import {
  sourceOf,
  type CalibrationTraffic,
  type Part,
  type Traffic,
} from '../../evaluation/traffic.ts';
import type { FlagsOf, FlagTable } from '../../training/flags.ts';
import { areClasses } from '../../training/frozen.ts';
import type { CalibrationRecipe } from '../../training/recipe.ts';
import { readSamples, type Samples } from '../../training/samples.ts';
import { at } from '../../util/at.ts';
import { toSamples } from './inputs.ts';

const calibrateFlags = {
  data: {
    type: 'string',
    multiple: true,
    value: 'NAME=FILE.npy',
    help: 'an input of the network, or target; once for each. A row is a request that no policy was trained on (required)',
  },
} as const satisfies FlagTable;

/**
 * Bundles of the task `tensor`. Class targets [n] of scores [N,C] are judged by accuracy, values by their error relative to
 * the target.
 */
export const tensor: CalibrationRecipe = {
  task: 'tensor',
  metric: relativeError,
  calibrateFlags,
  traffic: tensorTraffic,
};

/** Fewer samples certify nothing. */
const LEAST = 50;

async function tensorTraffic(
  { data = [] }: FlagsOf<typeof calibrateFlags>,
  manifest: Manifest,
  _modelsDir: string,
  seed: number,
): Promise<CalibrationTraffic> {
  const samples = await readSamples(data);
  const [n = 0] = samples.target.shape;
  if (n < LEAST) throw new Error(`${n} samples are too few; ${LEAST} are the least.`);
  const classes = areClasses(manifest, samples.target);
  if (classes) checkClasses(manifest, samples);
  const dealt = dealRows(samples, seed);
  const traffic = (part: keyof typeof dealt): Traffic => toTraffic(manifest, samples, part, dealt);
  const most = Math.min(
    dealt.certification.length,
    2 * dealt.selection.length,
    2 * dealt.test.length,
  );
  if (most === 0) throw new Error('The samples are too much alike: a part of them would be empty.');
  const files = data.map((arg) => basename(arg.slice(arg.indexOf('=') + 1)));
  return {
    name: `${n} samples of ${files.join(', ')}`,
    ...(classes && { metric: accuracy }),
    selection: traffic('selection'),
    certification: traffic('certification'),
    test: traffic('test'),
    count: most,
    most,
    repeats: 1,
  };
}

interface Row {
  readonly row: number;
  readonly source: string;
}
type Dealt = Readonly<Record<Exclude<Part, 'training'>, readonly Row[]>>;

function toTraffic(
  manifest: Manifest,
  { inputs, target }: Samples,
  part: keyof Dealt,
  dealt: Dealt,
): Traffic {
  const named = [...inputs].filter(([name]) => name !== 'target');
  return {
    part,
    draw: (i) =>
      new Promise((resolve) => {
        const { row, source } = at(dealt[part], i);
        const tensors = named.map(([name, rows]) => ({ name, ...pickRows(rows, [row]) }));
        const sample = at(toSamples(manifest, tensors), 0);
        resolve({ kind: 'sample', source, sample, truth: pickRows(target, [row]).data });
      }),
  };
}

/** A quarter of the rows to choose rules, half to certify and a quarter to test. Rows with the same inputs stay together. */
function dealRows({ inputs, target }: Samples, seed: number): Dealt {
  const bySource = new Map<string, Row[]>();
  const [n = 0] = target.shape;
  for (let row = 0; row < n; row++) {
    const values = [...inputs].flatMap(([name, rows]) =>
      name === 'target' ? [] : [Buffer.from(pickRows(rows, [row]).data.buffer)],
    );
    const source = sourceOf(Buffer.concat(values));
    bySource.set(source, [...(bySource.get(source) ?? []), { row, source }]);
  }
  const dealt = { selection: [] as Row[], certification: [] as Row[], test: [] as Row[] };
  const order = [...bySource.values()]
    .map((rows) => ({ rows, key: sourceOf(`${seed} ${at(rows, 0).source}`) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  let done = 0;
  for (const { rows } of order) {
    const share = done / n;
    dealt[share < 0.25 ? 'selection' : share < 0.75 ? 'certification' : 'test'].push(...rows);
    done += rows.length;
  }
  return dealt;
}

function checkClasses({ outputs }: Manifest, { target }: Samples): void {
  const scores = outputs[0]?.shape[1];
  const wrong = target.data.find(
    (label) => !Number.isInteger(label) || label < 0 || label >= Number(scores),
  );
  if (wrong !== undefined)
    throw new Error(`The target of a sample is class ${wrong}; there are ${scores} scores.`);
}
