/** Ablations on small networks: each row changes one thing. */
import { Random } from '../../../src/data/random.ts';
import { measurementMatrix } from '../../../src/data/sparse-recovery.ts';
import type { Traced } from '../../../src/evaluation/trace.ts';
import { exitAt, qualityAt } from '../../../src/evaluation/trace.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { curves } from '../../plots/curves.ts';
import { heatMap } from '../../plots/heat-map.ts';
import { oracle, stopTime } from '../distribution.ts';
import type { StageTwoConfig } from '../../../src/training/stages.ts';
import {
  published,
  recoveryDefaults,
  type RecoveryConfig,
} from '../../../src/tasks/sparse-recovery/config.ts';
import { ENOUGH } from '../../../src/tasks/sparse-recovery/stages.ts';
import { decibels } from '../numbers.ts';
import { withTrainedModels } from '../training-jobs.ts';
import type { Figure, Part, ReproduceOptions, Section, Table } from '../report.ts';
import { layers, policies } from './ablation-variants.ts';
import { recoveryJob } from './recovery-job.ts';
import { meanDepth, testSet, traceAll } from './setting.ts';

export const ablations: Part = {
  name: 'ablations',
  about: 'Ablations of the method on small networks.',
  run,
};

const [ROWS, COLUMNS] = [100, 200];
const DEPTH = 12;
/** Stage II of the first row; λ is the price of the full depth, dB. */
const POLICY: Omit<StageTwoConfig, 'steps'> = {
  rate: 1e-2,
  beta: 0.03,
  lambda: 2,
  divergence: 'reverse',
};

interface TracedModel {
  readonly config: RecoveryConfig;
  readonly traced: Traced[][];
}

async function run({ quick, onProgress }: ReproduceOptions): Promise<Section[]> {
  const usual = recoveryDefaults.vamp;
  const base: RecoveryConfig = {
    ...usual,
    ...published,
    values: ['normal'],
    depth: DEPTH,
    batch: 64,
    stageOne: { ...usual.stageOne, steps: quick ? 4 : 600 },
    stageTwo: { ...POLICY, steps: quick ? 2 : 600 },
  };
  const matrix = measurementMatrix(ROWS, COLUMNS, new Random(3));
  const [usualLayers, ...otherLayers] = Object.keys(layers) as [string, ...string[]];
  const [usualPolicy, ...otherPolicies] = Object.keys(policies) as [string, ...string[]];
  const jobs = [
    {
      label: usualPolicy,
      name: 'first',
      matrix,
      config: { ...base, ...policies[usualPolicy]!(base) },
    },
    ...otherLayers.map((label, i) => ({
      label,
      name: `layers-${i}`,
      matrix,
      config: { ...base, ...layers[label]!(base) },
    })),
    // These policies are trained on the layers of the first job.
    ...otherPolicies.map((label, i) => {
      const config = { ...base, ...policies[label]!(base) };
      return {
        label,
        name: `policy-${i}`,
        matrix,
        from: 'first',
        config: { ...config, stageOne: { ...config.stageOne, steps: 0 } },
      };
    }),
  ];
  const conditions = testSet(matrix, quick ? 10 : 1000);
  return withTrainedModels(jobs.map(recoveryJob), onProgress, async (engine) => {
    const models = new Map<string, TracedModel>();
    for (const { label, name, config } of jobs) {
      models.set(label, {
        config,
        traced: await traceAll(engine, engine.manifests.get(name)!, conditions),
      });
    }
    const usualModel = models.get(usualPolicy)!;
    models.set(usualLayers, usualModel);
    return [stageOneSection(models, base), await stageTwoSection(models, usualModel)];
  });
}

type Pick = (sample: Traced) => number;
const exitsOf = ({ config }: TracedModel): number[] =>
  Array.from({ length: config.depth }, (_, i) => i + 1);
const at = (model: TracedModel, pick: Pick): [string, string] => [
  decibels(qualityAt(model.traced.flat(), nmse, pick)),
  meanDepth(model.traced, exitsOf(model), pick).toFixed(2),
];

function stageOneSection(
  models: ReadonlyMap<string, TracedModel>,
  { stageOne, batch, depth }: RecoveryConfig,
): Section {
  const depths = [2, 4, 6, 8, depth];
  const rows = Object.keys(layers).map((label) => {
    const one = models.get(label)!;
    return [
      label,
      ...depths.map((d) => at(one, () => d - 1)[0]),
      ...at(one, (sample) => exitAt(sample, 0.5)),
      ...at(one, bestExit),
    ];
  });
  return {
    heading: 'Ablations: training of the layers',
    text:
      `Unfolded VAMP of ${depth} layers, ${ROWS}×${COLUMNS}, ${stageOne.steps} steps of ${batch} signals; NMSE in dB on 3000 signals, SNR 20, 30 and ` +
      '40 dB mixed. The best exit is chosen with the true signal and bounds every policy.',
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
  models: ReadonlyMap<string, TracedModel>,
  first: TracedModel,
): Promise<Section> {
  const rows = Object.keys(policies).map((label) => policyRow(label, models.get(label)!));
  const table: Table = {
    columns: [
      'policy',
      'threshold 0.5',
      'layers',
      'one depth, same layers',
      'sampled',
      'layers',
      'oracle',
      'layers',
    ],
    rows,
  };
  const text =
    'The policy stops at π > 0.5 (multiclass: at the most likely exit); sampled: it stops with probability π. For comparison, all samples at ' +
    'one depth, interpolated to the same mean depth. The oracle stops at the mode of its posterior, given the true signal and the λ of the row.';
  return {
    heading: 'Ablations: training of the policy',
    text,
    tables: [table],
    figures: [await qualityOverDepth(models), await againstOracle(first)],
  };
}

function policyRow(label: string, model: TracedModel): string[] {
  const { config, traced } = model;
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
  const [quality, depth] = at(model, pick);
  const fixed = interpolated(model, Number(depth));
  return [
    label,
    quality,
    depth,
    decibels(fixed),
    decibels(sampled),
    sampledDepth.toFixed(2),
    ...at(model, oracleExit(config)),
  ];
}

const scaled = ([a, b]: readonly [number, number], p: number): [number, number] => [a * p, b * p];

/** Loss at every exit as in training: 10·log10(relative error + ENOUGH), dB. */
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

/** q of the multiclass policy: softmax over the logits of π and 0 for the last exit. */
function softmax({ pi }: Traced): number[] {
  const powers = [...pi.map((p) => p / Math.max(1 - p, 1e-12)), 1];
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** NMSE of all samples at one depth, linearly interpolated between integer depths. */
function interpolated({ traced }: TracedModel, depth: number): number {
  const whole = Math.floor(depth);
  const one = (d: number): number => qualityAt(traced.flat(), nmse, () => d - 1);
  return whole === depth
    ? one(whole)
    : one(whole) + (depth - whole) * (one(whole + 1) - one(whole));
}

async function qualityOverDepth(models: ReadonlyMap<string, TracedModel>): Promise<Figure> {
  const first = models.get(Object.keys(policies)[0]!)!;
  const point = (one: TracedModel, pick: Pick) => {
    const [y, x] = at(one, pick).map(Number) as [number, number];
    return { x, y };
  };
  const thresholds = Array.from({ length: 19 }, (_, i) => (i + 1) / 20);
  const sweep = (label: string) => ({
    name: label,
    points: thresholds
      .map((tau) => point(models.get(label)!, (sample) => exitAt(sample, tau)))
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
        name: 'oracle, by λ',
        points: prices.map((config) => point(first, oracleExit(config))).sort((a, b) => a.x - b.x),
      },
    ],
  });
  return { file: 'ablations-depth.svg', caption: 'Quality over mean depth', content };
}

/** Heat map: share of samples by stop depth of the oracle posterior and of the policy. */
async function againstOracle({ config, traced }: TracedModel): Promise<Figure> {
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
