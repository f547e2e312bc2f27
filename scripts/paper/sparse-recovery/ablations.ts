/** What each piece of the method is worth: small networks, all equal but for what a row names. */
import { Random } from '../../../src/data/random.ts';
import { measurementMatrix } from '../../../src/data/sparse-recovery.ts';
import type { Traced } from '../../../src/evaluation/trace.ts';
import { exitAt, qualityAt } from '../../../src/evaluation/trace.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { curves } from '../../plots/curves.ts';
import { heatMap } from '../../plots/heat-map.ts';
import { oracle, stopTime } from '../../../src/stopping/distribution.ts';
import {
  recoveryDefaults,
  type RecoveryConfig,
} from '../../../src/tasks/sparse-recovery/config.ts';
import { ENOUGH } from '../../../src/tasks/sparse-recovery/stages.ts';
import { decibels } from '../numbers.ts';
import { withLearnt } from '../learn.ts';
import type { Figure, Part, ReproduceOptions, Section, Table } from '../report.ts';
import { recoveryLesson } from './lesson.ts';
import { meanDepth, testSet, traceAll } from './setting.ts';

export const ablations: Part = {
  name: 'ablations',
  about: 'What each piece of the method is worth, on small networks.',
  run,
};

const [ROWS, COLUMNS] = [100, 200];
/** The price of the whole path in the oracle, dB. */
const LAMBDA = 2;

type Change = (usual: RecoveryConfig) => Partial<RecoveryConfig>;

/** How the layers learn: Stage I. */
const layers: Readonly<Record<string, Change>> = {
  'weighted by the oracle': () => ({}),
  'all layers alike': ({ stageOne }) => ({ stageOne: { ...stageOne, beta: 'uniform' } }),
  'the last layer alone': ({ stageOne }) => ({ stageOne: { ...stageOne, beta: 'last' } }),
};

/** How the policy learns: Stage II and III. The first is the same network as the first above. */
const policies: Readonly<Record<string, Change>> = {
  'reverse KL, λ = 2 dB': () => ({}),
  'λ = 0': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, lambda: 0 } }),
  'λ = 1 dB': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, lambda: 1 } }),
  'λ = 4 dB': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, lambda: 4 } }),
  'λ = 8 dB': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, lambda: 8 } }),
  'forward KL': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, divergence: 'forward' } }),
  'one choice among all exits': ({ stageTwo }) => ({
    stageTwo: { ...stageTwo, policy: 'multiclass' },
  }),
  'with joint fine-tuning': ({ stageThree, stageOne }) => ({
    stageThree: { ...stageThree, steps: stageOne.steps / 4 },
  }),
};

interface Learnt {
  readonly config: RecoveryConfig;
  readonly traced: Traced[][];
}

async function run({ quick, onProgress }: ReproduceOptions): Promise<Section[]> {
  const usual = recoveryDefaults.vamp;
  const base: RecoveryConfig = {
    ...usual,
    batch: 64,
    stageOne: { ...usual.stageOne, steps: quick ? 4 : 600 },
    stageTwo: { ...usual.stageTwo, steps: quick ? 2 : 600, lambda: LAMBDA },
  };
  const matrix = measurementMatrix(ROWS, COLUMNS, new Random(3));
  const [same, ...others] = Object.keys(layers) as [string, ...string[]];
  const [first, ...changed] = Object.keys(policies) as [string, ...string[]];
  const lessons = [
    { words: first, name: 'first', matrix, config: { ...base, ...policies[first]!(base) } },
    ...others.map((words, i) => ({
      words,
      name: `layers-${i}`,
      matrix,
      config: { ...base, ...layers[words]!(base) },
    })),
    // Policies learn on the layers of the first.
    ...changed.map((words, i) => {
      const config = { ...base, ...policies[words]!(base) };
      return {
        words,
        name: `policy-${i}`,
        matrix,
        from: 'first',
        config: { ...config, stageOne: { ...config.stageOne, steps: 0 } },
      };
    }),
  ];
  const conditions = testSet(matrix, quick ? 10 : 1000);
  return withLearnt(lessons.map(recoveryLesson), onProgress, async (engine) => {
    const learnt = new Map<string, Learnt>();
    for (const { words, name, config } of lessons) {
      learnt.set(words, {
        config,
        traced: await traceAll(engine, engine.manifests.get(name)!, conditions),
      });
    }
    const usualOne = learnt.get(first)!;
    learnt.set(same, usualOne);
    return [stageOneSection(learnt, base), await stageTwoSection(learnt, usualOne)];
  });
}

type Pick = (sample: Traced) => number;
const exitsOf = ({ config }: Learnt): number[] =>
  Array.from({ length: config.depth }, (_, i) => i + 1);
const at = (learnt: Learnt, pick: Pick): [string, string] => [
  decibels(qualityAt(learnt.traced.flat(), nmse, pick)),
  meanDepth(learnt.traced, exitsOf(learnt), pick).toFixed(2),
];

function stageOneSection(
  learnt: ReadonlyMap<string, Learnt>,
  { stageOne, batch, depth }: RecoveryConfig,
): Section {
  const depths = [2, 4, 6, 8, depth];
  const rows = Object.keys(layers).map((words) => {
    const one = learnt.get(words)!;
    return [
      words,
      ...depths.map((d) => at(one, () => d - 1)[0]),
      ...at(one, (sample) => exitAt(sample, 0.5)),
      ...at(one, bestExit),
    ];
  });
  return {
    heading: 'Ablations: how the layers learn',
    text:
      `Unfolded VAMP of ${depth} layers, ${ROWS}×${COLUMNS}, ${stageOne.steps} steps of ${batch} signals; NMSE in dB on 3000 signals, SNR 20, 30 and ` +
      '40 dB mixed. The best exit knows the truth: it is the bound for every policy.',
    tables: [
      {
        columns: [
          'loss',
          ...depths.map((d) => `depth ${d}`),
          'policy',
          'layers',
          'best exit',
          'layers',
        ],
        rows,
      },
    ],
  };
}

async function stageTwoSection(
  learnt: ReadonlyMap<string, Learnt>,
  first: Learnt,
): Promise<Section> {
  const rows = Object.keys(policies).map((words) => policyRow(words, learnt.get(words)!));
  const table: Table = {
    columns: [
      'policy',
      'threshold 0.5',
      'layers',
      'one depth, as many',
      'sampled',
      'layers',
      'the oracle',
      'layers',
    ],
    rows,
  };
  const text =
    'Stops where π > 0.5 (the most likely exit for the choice among all), or by chance as π says; beside it all samples at one depth, ' +
    'interpolated to as many layers; the oracle takes its own most likely exit, knowing the truth, at the price of its row.';
  return {
    heading: 'Ablations: how the policy learns',
    text,
    tables: [table],
    figures: [await qualityOverDepth(learnt), await againstOracle(first)],
  };
}

function policyRow(words: string, learnt: Learnt): string[] {
  const { config, traced } = learnt;
  const multiclass = config.stageTwo.policy === 'multiclass';
  const pick: Pick = multiclass
    ? (sample) => mostLikely(softmax(sample))
    : (sample) => exitAt(sample, 0.5);
  const q = (sample: Traced): number[] => (multiclass ? softmax(sample) : stopTime(sample.pi));
  const samples = traced.flat();
  const sampled = nmse.total(
    samples.flatMap((sample) => q(sample).map((p, t) => scaled(sample.parts[t]!, p))),
  );
  const sampledDepth =
    samples.reduce(
      (sum, sample) => sum + q(sample).reduce((total, p, t) => total + p * (t + 1), 0),
      0,
    ) / samples.length;
  const [quality, depth] = at(learnt, pick);
  const fixed = interpolated(learnt, Number(depth));
  return [
    words,
    quality,
    depth,
    decibels(fixed),
    decibels(sampled),
    sampledDepth.toFixed(2),
    ...at(learnt, oracleExit(config)),
  ];
}

const scaled = ([a, b]: readonly [number, number], p: number): [number, number] => [a * p, b * p];

/** The decibels that the oracle weighs. */
const losses = ({ parts }: Traced): number[] =>
  parts.map(([error, power]) => 10 * Math.log10(error / power + ENOUGH));
const mostLikely = (q: readonly number[]): number => q.indexOf(Math.max(...q));
const bestExit: Pick = (sample) => mostLikely(losses(sample).map((loss) => -loss));

function posterior(
  { stageTwo: { beta, lambda }, depth }: RecoveryConfig,
  sample: Traced,
): number[] {
  return oracle(losses(sample), {
    beta,
    lambda: lambda / beta,
    costs: sample.parts.map((_, t) => (t + 1) / depth),
  });
}

const oracleExit =
  (config: RecoveryConfig): Pick =>
  (sample) =>
    mostLikely(posterior(config, sample));

/** q of one choice among all exits, from the logits of π. */
function softmax({ pi }: Traced): number[] {
  const powers = [...pi.map((p) => p / Math.max(1 - p, 1e-12)), 1];
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** NMSE of all samples at one depth, between two whole depths in proportion. */
function interpolated({ traced }: Learnt, depth: number): number {
  const whole = Math.floor(depth);
  const one = (d: number): number => qualityAt(traced.flat(), nmse, () => d - 1);
  return whole === depth
    ? one(whole)
    : one(whole) + (depth - whole) * (one(whole + 1) - one(whole));
}

async function qualityOverDepth(learnt: ReadonlyMap<string, Learnt>): Promise<Figure> {
  const first = learnt.get(Object.keys(policies)[0]!)!;
  const point = (one: Learnt, pick: Pick) => {
    const [y, x] = at(one, pick).map(Number) as [number, number];
    return { x, y };
  };
  const thresholds = Array.from({ length: 19 }, (_, i) => (i + 1) / 20);
  const sweep = (words: string) => ({
    name: words,
    points: thresholds
      .map((tau) => point(learnt.get(words)!, (sample) => exitAt(sample, tau)))
      .sort((a, b) => a.x - b.x),
  });
  const prices = [0, 1, 2, 4, 8, 16, 32].map((lambda) => ({
    ...first.config,
    stageTwo: { ...first.config.stageTwo, lambda },
  }));
  const content = await curves({
    title: 'Quality over mean depth',
    x: { title: 'mean layers' },
    y: { title: 'NMSE, dB, mixed' },
    curves: [
      {
        name: 'every sample at one depth',
        points: exitsOf(first).map((d) => point(first, () => d - 1)),
      },
      ...['reverse KL, λ = 2 dB', 'forward KL', 'with joint fine-tuning'].map(sweep),
      {
        name: 'the oracle, by its price',
        points: prices.map((config) => point(first, oracleExit(config))).sort((a, b) => a.x - b.x),
      },
    ],
  });
  return { file: 'ablations-depth.svg', caption: 'Quality over mean depth', content };
}

/** Of the samples whose oracle would stop at a depth, where the policy stops. */
async function againstOracle({ config, traced }: Learnt): Promise<Figure> {
  const sums = Array.from({ length: config.depth }, () => new Array<number>(config.depth).fill(0));
  for (const sample of traced.flat()) {
    const star = posterior(config, sample);
    stopTime(sample.pi).forEach((q, t) => star.forEach((p, s) => (sums[s]![t]! += p * q)));
  }
  const whole = traced.flat().length;
  const content = await heatMap({
    title: 'Learnt q against the oracle’s q*',
    x: 'depth at which the policy stops',
    y: 'depth of the oracle',
    value: 'share',
    values: sums.map((row) => row.map((sum) => sum / whole)),
  });
  return { file: 'ablations-oracle.svg', caption: 'Learnt q against the oracle’s', content };
}
