/** How MAML-stop learns: tasks drawn from many classes, adapted step by step, judged by their queries after every step. */
import { oneHot, type Episode, type EpisodeOptions, type Variation } from '../data/episodes.ts';
import type { Random } from '../data/random.ts';
import { layersOf, type Family, type Values } from '../families/family.ts';
import { defineMaml, type MamlConfig } from '../families/maml.ts';
import { logSoftmax } from '../graph/functions.ts';
import {
  add,
  concat,
  input,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
} from '../graph/operators.ts';
import { known, type Value } from '../graph/value.ts';
import { tensor, type Tensor } from '../runtime/session.ts';
import { perTask, sharesOf } from './export.ts';
import type { Stage } from './loop.ts';
import {
  decibels,
  stageOneOf,
  stageTwoOf,
  type Batches,
  type StageOneConfig,
  type StageTwoConfig,
} from './stages.ts';
import { drawRows, tabulate, type Table } from './table.ts';
import { unroll } from './unroll.ts';

export interface FewShotConfig extends MamlConfig, EpisodeOptions {
  /** `stop`: every step is an exit, weighed by the oracle. `fixed`: always all steps, the published MAML, for comparison. */
  readonly form: 'stop' | 'fixed';
  /** Tasks a training step sees. */
  readonly batch: number;
  readonly seed: number;
  /** The share of the classes that the layers do not learn from: the policy does, and the threshold is calibrated on them. */
  readonly held: number;
  /** How what the layers learn from is varied; the policy and the tests see images as they are. */
  readonly augment: Variation & {
    /** Whether a class whose images are all turned alike is one more class to learn from (Liu et al. 2020). */
    readonly turns: boolean;
  };
  /** The first step alone, which is cheap: the blocks learn features whose class means tell classes apart. */
  readonly warmUp: StageOneConfig;
  readonly stageOne: StageOneConfig;
  readonly stageTwo: PolicyConfig;
}

/** The layers are frozen, so tasks are adapted once; every step of the policy draws from what became of them. */
export interface PolicyConfig extends StageTwoConfig {
  /** How many tasks; */
  readonly tasks: number;
  /** the numbers of classes they may have; the queries of each class, as many as there are images for, so that losses are sure; */
  readonly ways: readonly number[];
  readonly queries: number;
  /** and how many of them a step draws. */
  readonly batch: number;
}

const common = {
  hidden: 16,
  queries: 2,
  batch: 1,
  seed: 1,
  held: 0.1,
  features: 32,
  depth: 4,
  exits: [1, 2, 3, 4],
  order: 'second',
} as const;
const imitation = {
  steps: 1000,
  rate: 1e-2,
  beta: 0.1,
  lambda: 0.3,
  divergence: 'forward',
  tasks: 400,
  queries: 10,
  batch: 64,
} as const;

/** The recipe for each kind of images: drawings, whose turned images are other classes, and photographs. */
export const fewShotDefaults: Record<'drawings' | 'photographs', Omit<FewShotConfig, 'form'>> = {
  drawings: {
    ...common,
    channels: 1,
    side: 28,
    background: 1,
    ways: [20],
    shots: [1, 5],
    turns: true,
    augment: { turns: true, shift: 0, mirror: false },
    warmUp: { steps: 6000, rate: 2e-3, beta: 1 },
    stageOne: { steps: 1500, rate: 5e-4, beta: 0.1 },
    stageTwo: { ...imitation, ways: [20, 5] },
  },
  photographs: {
    ...common,
    channels: 3,
    side: 32,
    background: 0.5,
    ways: [5],
    shots: [1, 10],
    queries: 5,
    turns: false,
    augment: { turns: true, shift: 4, mirror: true },
    warmUp: { steps: 6000, rate: 2e-3, beta: 1 },
    stageOne: { steps: 1500, rate: 5e-4, beta: 0.1 },
    stageTwo: { ...imitation, ways: [5] },
  },
};

/** Adds to the cross-entropy of the queries: tasks that are answered this well need no further step. */
const ENOUGH = 0.01;

/** Class folders that tasks can be drawn from at all. */
export const leastClasses = ({ ways, stageTwo, turns }: FewShotConfig): number =>
  Math.ceil(Math.max(...ways, ...stageTwo.ways) / (turns ? 4 : 1));

export const fewShotFamily = (config: FewShotConfig): Family =>
  defineMaml({ ...config, exits: config.form === 'fixed' ? [config.depth] : config.exits });

/** The tensors of a batch of tasks, by the names that the training's graphs give them. */
export function toBatch(
  episodes: readonly Episode[],
  { channels, side }: MamlConfig,
): Record<string, Tensor> {
  const image = [channels, side, side];
  return Object.fromEntries(
    episodes.flatMap(({ ways, support, labels, query, truth }, i) => {
      const [s, q] = [labels.length / ways, truth.length];
      return [
        [`support-${i}`, tensor(support, [1, s, ...image])],
        [`labels-${i}`, tensor(labels, [1, s, ways])],
        [`query-${i}`, tensor(query, [1, q, ...image])],
        [`targets-${i}`, tensor(oneHot(truth, ways), [1, q, ways])],
      ] as const;
    }),
  );
}

export interface FewShotBatches extends Batches {
  /** Begins anew with the tasks that the policy learns from, one at a time. */
  policyTasks(): () => Record<string, Tensor>;
  /** Draws from what became of them. */
  readonly random: Random;
}

export function fewShotStages(
  config: FewShotConfig,
  batches: FewShotBatches,
): { family: Family; stages: Stage[] } {
  const family = fewShotFamily(config);
  const tasks = Array.from({ length: config.batch }, (_, i) => tasksInputs(i, config));
  const unrolled = tasks.map(({ inputs, targets }) =>
    unroll(family, inputs).outputs.map((read) => crossEntropy(read, targets)),
  );
  const firsts = tasks.map(({ inputs, targets }) =>
    crossEntropy(family.decode!(1, { ...inputs, ...family.layer(1, inputs) }), targets),
  );
  const losses = family.exits.map((_, i) => stack(unrolled.map((task) => task[i]!)));
  const stages = [
    { ...stageOneOf(family, [stack(firsts)], config.warmUp, batches), name: 'warm-up' },
    stageOneOf(family, losses, config.stageOne, batches),
  ];
  return {
    family,
    stages: config.form === 'fixed' ? stages : [...stages, policyStage(family, config, batches)],
  };
}

/** Stage II on a table with a row for each task: the summaries that the policy sees, and the losses of the exits. */
function policyStage(family: Family, config: FewShotConfig, batches: FewShotBatches): Stage {
  const { stageTwo } = config;
  const { inputs, targets } = tasksInputs(0, config);
  const columns: Record<string, Value> = {};
  let read: Values = inputs;
  for (const t of layersOf(family)) {
    read = { ...read, ...family.layer(t, read) };
    if (!family.exits.includes(t)) continue;
    columns[`loss-${t}`] = crossEntropy(family.decode!(t, read), targets);
    if (t < family.depth) columns[`summary-${t}`] = read.summary!;
  }
  const rows = (name: string): Value =>
    input(name, [stageTwo.batch, known(columns[name]!.shape.at(-1))]);
  const losses = family.exits.map((t) =>
    decibels(add(reshape(rows(`loss-${t}`), [stageTwo.batch]), ENOUGH)),
  );
  const logits = family.exits
    .slice(0, -1)
    .map((t) => family.policy(t, { summary: rows(`summary-${t}`) }));
  let table: Table | undefined;
  const next = (): Record<string, Tensor> => drawRows(table!, stageTwo.batch, batches.random);
  return {
    ...stageTwoOf(family, { losses, logits, costs: sharesOf(family, perTask) }, stageTwo, { next }),
    async start(weights, place, onProgress) {
      table = await tabulate(columns, weights, {
        count: stageTwo.tasks,
        place,
        next: batches.policyTasks(),
        onProgress,
      });
    },
  };
}

/** The graph's inputs for task `i`; sizes differ from task to task. */
function tasksInputs(
  i: number,
  { channels, side }: MamlConfig,
): { inputs: Values; targets: Value } {
  return {
    inputs: {
      support: input(`support-${i}`, [1, `S${i}`, channels, side, side]),
      labels: input(`labels-${i}`, [1, `S${i}`, `K${i}`]),
      query: input(`query-${i}`, [1, `Q${i}`, channels, side, side]),
    },
    targets: input(`targets-${i}`, [1, `Q${i}`, `K${i}`]),
  };
}

/** The mean cross-entropy of a task's queries, [1]. */
const crossEntropy = ({ logits }: Values, targets: Value): Value =>
  neg(reduceMean(reduceSum(mul(targets, logSoftmax(logits!, 2)), [2]), [1]));

/** [1] of each task side by side: [tasks]. */
const stack = (values: readonly Value[]): Value => concat(values, 0);
