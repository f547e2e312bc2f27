/** The training stages of MAML-stop: tasks drawn from many classes, adapted step by step, with the loss of their queries. */
import { oneHot, type Episode } from '../../data/episodes.ts';
import type { Random } from '../../data/random.ts';
import { layersOf, type Family, type Values } from '../../families/family.ts';
import { defineMaml, type MamlConfig } from '../../families/maml.ts';
import { logSoftmax } from '../../graph/functions.ts';
import {
  add,
  concat,
  input,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
} from '../../graph/operators.ts';
import { known, type Value } from '../../graph/value.ts';
import { tensor, type Tensor } from '../../runtime/session.ts';
import { sharesOf } from '../../training/export.ts';
import type { Stage } from '../../training/stage-run.ts';
import { decibels, stageOneOf, stageTwoOf, type Batches } from '../../training/stages.ts';
import { drawRows, tabulate, type Table } from '../../training/table.ts';
import { unroll } from '../../training/unroll.ts';
import { perTask, type FewShotConfig } from './config.ts';

/** The warm-up's share of a limited run, where Stage I has 8. */
const WARM_UP_SHARE = 4;

/** Added to the cross-entropy of the queries: below it, a further step gains nothing. */
const ENOUGH = 0.01;

/** The MAML family of a configuration; form `fixed` has only the last exit. */
export const fewShotFamily = (config: FewShotConfig): Family =>
  defineMaml({ ...config, exits: config.form === 'fixed' ? [config.depth] : config.exits });

/** The tensors of a batch of tasks, by the names of the training graph's inputs. */
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

/** Batches of tasks for the layers, and the separate tasks that the policy is trained on. */
export interface FewShotBatches extends Batches {
  /** Restarts the tasks that the policy learns from; each call of the result gives one task. */
  policyTasks(): () => Record<string, Tensor>;
  /** Draws rows of the table of adapted tasks. */
  readonly random: Random;
}

/** Warm-up of the start, Stage I on all exits and, unless the form is `fixed`, Stage II. */
export function fewShotStages(
  config: FewShotConfig,
  batches: FewShotBatches,
): { family: Family; stages: Stage[] } {
  const family = fewShotFamily(config);
  const tasks = Array.from({ length: config.batch }, (_, i) => tasksInputs(i, config));
  const unrolled = tasks.map(({ inputs, targets }) =>
    unroll(family, inputs).outputs.map((read) => crossEntropy(read, targets)),
  );
  const start = layersOf(family)[0]!;
  const firsts = tasks.map(({ inputs, targets }) =>
    crossEntropy(family.decode!(start, { ...inputs, ...family.layer(start, inputs) }), targets),
  );
  const losses = family.exits.map((_, i) => stack(unrolled.map((task) => task[i]!)));
  const stages = [
    {
      ...stageOneOf(family, [stack(firsts)], config.warmUp, batches),
      name: 'warm-up',
      timeShare: WARM_UP_SHARE,
      fillsTime: false,
    },
    stageOneOf(family, losses, config.stageOne, batches),
  ];
  return {
    family,
    stages: config.form === 'fixed' ? stages : [...stages, policyStage(family, config, batches)],
  };
}

/** Stage II on a table with one row for each task: the summaries that the policy sees, and the losses at the exits. */
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
    async start(weights, runOn, onProgress) {
      table = await tabulate(columns, weights, {
        count: stageTwo.tasks,
        runOn,
        next: batches.policyTasks(),
        onProgress,
      });
    },
  };
}

/** The graph's inputs for task `i`; each task has its own sizes. */
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
