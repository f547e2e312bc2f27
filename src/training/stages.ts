/** The stages of training a model that stops, for any family with a loss at every exit. */
import Type, { type Static } from 'typebox';
import type { Family } from '../families/family.ts';
import { log, mul } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { tensor, type Tensor } from '../runtime/session.ts';
import { adamSchema } from './adam.ts';
import type { Stage } from './stage-run.ts';
import {
  columns,
  forwardKl,
  gainEntropy,
  joint,
  logMulticlass,
  logOracle,
  logPriorInput,
  logStopTime,
  reverseKl,
  stageOne,
  uniformLoss,
} from './objective.ts';
import { cosine } from './schedule.ts';

/** Configuration of Stage I, which trains layers and heads. */
export const stageOneSchema = Type.Object({
  steps: Type.Integer({ minimum: 0 }),
  /** Time for the stage instead of steps. */
  minutes: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  rate: Type.Number(),
  /** Temperature of the oracle. `uniform` gives every exit the same weight, `last` counts the last exit alone. */
  beta: Type.Union([Type.Number(), Type.Literal('uniform'), Type.Literal('last')]),
  /** p(t), one number for each exit, up to a factor; flat where absent. */
  prior: Type.Optional(Type.Array(Type.Number())),
  adam: Type.Optional(adamSchema),
});
/** Type of {@link stageOneSchema}. */
export type StageOneConfig = Static<typeof stageOneSchema>;

/** Configuration of Stage II, which trains the policy towards the oracle posterior. */
export const stageTwoSchema = Type.Object({
  steps: Type.Integer({ minimum: 0 }),
  rate: Type.Number(),
  /** Temperature of the oracle, in units of the loss: dB, or nats of cross-entropy. */
  beta: Type.Number(),
  /** The price λ of the whole path's compute, in the same units. */
  lambda: Type.Number(),
  /** How the policy imitates the oracle posterior; `gain`: it predicts the priced gain of going on instead. */
  divergence: Type.Union([Type.Literal('forward'), Type.Literal('reverse'), Type.Literal('gain')]),
  /** `multiclass`: one softmax over all exits, for comparison; it cannot be served. */
  policy: Type.Optional(Type.Union([Type.Literal('sequential'), Type.Literal('multiclass')])),
});
/** Type of {@link stageTwoSchema}. */
export type StageTwoConfig = Static<typeof stageTwoSchema>;

/** Fine-tuning of layers and policy together, at the temperature and price of Stage II; 0 steps leave it out. */
export const stageThreeSchema = Type.Object({
  steps: Type.Integer({ minimum: 0 }),
  rate: Type.Number(),
});
/** Type of {@link stageThreeSchema}. */
export type StageThreeConfig = Static<typeof stageThreeSchema>;

/** The task's source of training batches. */
export interface Batches {
  /**
   * The tensors of the next batch, by the names of the graph's inputs.
   * @param progress of Stage I, 0..1; later stages pass none and get what the end of Stage I gets
   */
  readonly next: (progress?: number) => Record<string, Tensor>;
}

/** Shares of a limited run: the layers take most of it, and a policy converges within some hundred steps. */
const TIME_SHARE = { layers: 8, policy: 1 };

/** Stage I trains layers and heads, with the oracle posterior as weights of the exits. */
export function stageOneOf(
  family: Family,
  losses: readonly Value[],
  config: StageOneConfig,
  batches: Batches,
): Stage {
  const exits = losses.length;
  const { beta, prior = losses.map(() => 1) } = config;
  if (prior.length !== exits)
    throw new Error(
      `The prior has ${prior.length} numbers; it needs one for each of the ${exits} exits.`,
    );
  const table = columns(losses);
  const logPrior = tensor(Float32Array.from(prior, Math.log), [exits]);
  const loss = (): Value => {
    if (beta === 'last') return uniformLoss(losses.at(-1)!);
    return beta === 'uniform' ? uniformLoss(table) : stageOne(table, beta, logPriorInput(exits));
  };
  return {
    name: 'stage-1',
    loss: loss(),
    learn: parametersOf(family, 'model'),
    rate: cosine(config.rate),
    steps: config.steps,
    timeShare: TIME_SHARE.layers,
    fillsTime: true,
    ...(config.minutes !== undefined && { minutes: config.minutes }),
    ...(config.adam && { adam: config.adam }),
    batch: (progress) => ({ ...batches.next(progress), 'log-prior': logPrior }),
  };
}

/** What a policy is trained on. */
export interface PolicyTargets {
  /** The losses at every exit, each [N]: cross-entropies, or squared errors in dB. */
  readonly losses: readonly Value[];
  /** The logits of π at every exit but the last, each [N]. */
  readonly logits: readonly Value[];
  /** c_t, the cost of each exit; the last is 1. */
  readonly costs: readonly number[];
}

/**
 * Stage II trains the policy to imitate the oracle q*(t) ∝ exp(−(ℓ_t + λ c_t)/β), with ℓ_t the loss at exit t and c_t
 * its share of the compute of the whole path, or to predict whether going on gains more than it costs.
 */
export function stageTwoOf(
  family: Pick<Family, 'parameters'>,
  { losses, logits, costs }: PolicyTargets,
  { steps, rate, beta, lambda, divergence, policy = 'sequential' }: StageTwoConfig,
  batches: Batches,
): Stage {
  const table = columns(losses);
  const logPrior = logPriorInput(losses.length);
  const loss = (): Value => {
    if (divergence === 'gain') return gainEntropy(table, beta, logPrior, logits);
    const target = logOracle(table, beta, logPrior);
    const logQ = policy === 'sequential' ? logStopTime(logits) : logMulticlass(logits);
    return divergence === 'forward' ? forwardKl(target, logQ) : reverseKl(target, logQ);
  };
  const prior = logPriorOf(costs, lambda / beta);
  return {
    name: 'stage-2',
    loss: loss(),
    learn: parametersOf(family, 'policy'),
    rate: cosine(rate),
    steps,
    timeShare: TIME_SHARE.policy,
    fillsTime: false,
    batch: () => ({ ...batches.next(), 'log-prior': prior }),
  };
}

/** Stage III trains layers and policy together on the bound that both stages share; arguments as for Stage II. */
export function stageThreeOf(
  family: Family,
  { losses, logits, costs }: PolicyTargets,
  { steps, rate }: StageThreeConfig,
  { beta, lambda }: StageTwoConfig,
  batches: Batches,
): Stage {
  const prior = logPriorOf(costs, lambda / beta);
  return {
    name: 'stage-3',
    loss: joint(columns(losses), beta, logPriorInput(losses.length), logStopTime(logits)),
    learn: new Map([...parametersOf(family, 'model'), ...parametersOf(family, 'policy')]),
    rate: cosine(rate),
    steps,
    timeShare: TIME_SHARE.policy,
    fillsTime: false,
    batch: () => ({ ...batches.next(), 'log-prior': prior }),
  };
}

/** log p(t) for p(t) ∝ exp(−price · c_t), up to a constant: [E]. */
const logPriorOf = (costs: readonly number[], price: number): Tensor =>
  tensor(
    Float32Array.from(costs, (cost) => -price * cost),
    [costs.length],
  );

/** 10 log₁₀ of a squared error. */
export const decibels = (error: Value): Value => mul(log(error), 10 / Math.LN10);

/** The parameters of a role by name. */
export function parametersOf(
  family: Pick<Family, 'parameters'>,
  role: 'model' | 'statistic' | 'policy',
): Map<string, Value> {
  return new Map(
    [...family.parameters]
      .filter(([, p]) => p.role === role)
      .map(([name, { value }]) => [name, value]),
  );
}
