/** How MAML-stop learns: tasks drawn from many classes, adapted step by step, judged by their queries after every step. */
import { oneHot, type Episode, type EpisodeOptions } from '../data/episodes.ts';
import type { Family, Values } from '../families/family.ts';
import { defineMaml, type MamlConfig } from '../families/maml.ts';
import { logSoftmax } from '../graph/functions.ts';
import { add, concat, input, mul, neg, reduceMean, reduceSum } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { tensor, type Tensor } from '../runtime/session.ts';
import type { Stage } from './loop.ts';
import { decibels, stageOneOf, stageTwoOf, type StageOneConfig, type StageTwoConfig } from './stages.ts';
import { unroll } from './unroll.ts';

export interface FewShotConfig extends MamlConfig, EpisodeOptions {
  /** `stop`: every step is an exit, weighed by the oracle. `fixed`: always all steps, the published MAML, for comparison. */
  readonly form: 'stop' | 'fixed';
  /** Tasks a training step sees. */
  readonly batch: number;
  readonly seed: number;
  /** The first step alone, which is cheap: the blocks learn features whose class means tell classes apart. */
  readonly warmUp: StageOneConfig;
  readonly stageOne: StageOneConfig;
  readonly stageTwo: StageTwoConfig;
}

const common = { hidden: 16, queries: 2, batch: 1, seed: 1, features: 32, depth: 4, exits: [1, 2, 3, 4], order: 'second' } as const;

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
    warmUp: { steps: 6000, rate: 2e-3, beta: 1 },
    stageOne: { steps: 1500, rate: 5e-4, beta: 0.1 },
    stageTwo: { steps: 500, rate: 3e-3, beta: 0.1, lambda: 0.3, divergence: 'forward' },
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
    warmUp: { steps: 6000, rate: 2e-3, beta: 1 },
    stageOne: { steps: 1500, rate: 5e-4, beta: 0.1 },
    stageTwo: { steps: 500, rate: 3e-3, beta: 0.1, lambda: 0.3, divergence: 'forward' },
  },
};

/** Adds to the cross-entropy of the queries: tasks that are answered this well need no further step. */
const ENOUGH = 0.01;

export const fewShotFamily = (config: FewShotConfig): Family =>
  defineMaml({ ...config, exits: config.form === 'fixed' ? [config.depth] : config.exits });

/** The tensors of a batch of tasks, by the names that the training's graphs give them. */
export function toBatch(episodes: readonly Episode[], { channels, side }: MamlConfig): Record<string, Tensor> {
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

export function fewShotStages(config: FewShotConfig, nextBatch: () => Record<string, Tensor>): { family: Family; stages: Stage[] } {
  const family = fewShotFamily(config);
  const batches = { next: nextBatch };
  const tasks = Array.from({ length: config.batch }, (_, i) => tasksInputs(i, config));
  const unrolled = tasks.map(({ inputs, targets }) => {
    const { outputs, logits } = unroll(family, inputs);
    return { losses: outputs.map((read) => crossEntropy(read, targets)), logits };
  });
  const firsts = tasks.map(({ inputs, targets }) => crossEntropy(family.decode!(1, { ...inputs, ...family.layer(1, inputs) }), targets));
  const losses = family.exits.map((_, i) => stack(unrolled.map((task) => task.losses[i]!)));
  const stages = [
    { ...stageOneOf(family, [stack(firsts)], config.warmUp, batches), name: 'warm-up' },
    stageOneOf(family, losses, config.stageOne, batches),
  ];
  if (config.form === 'fixed') return { family, stages };
  const errors = losses.map((loss) => add(loss, ENOUGH));
  const logits = family.exits.slice(0, -1).map((_, i) => stack(unrolled.map((task) => task.logits[i]!)));
  const costs = family.exits.map((exit) => exit / family.depth);
  return { family, stages: [...stages, stageTwoOf(family, { losses: errors.map(decibels), logits, costs }, config.stageTwo, batches)] };
}

/** The graph's inputs for task `i`; sizes differ from task to task. */
function tasksInputs(i: number, { channels, side }: MamlConfig): { inputs: Values; targets: Value } {
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
