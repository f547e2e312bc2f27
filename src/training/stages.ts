/** The two stages of learning to stop, for any family whose losses per exit are known. */
import type { Family } from '../families/family.ts';
import { log, mul } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { tensor, type Tensor } from '../runtime/session.ts';
import type { AdamOptions } from './adam.ts';
import type { Stage } from './loop.ts';
import {
  columns,
  forwardKl,
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

export interface StageOneConfig {
  readonly steps: number;
  readonly minutes?: number;
  readonly rate: number;
  /** Temperature of the oracle; `uniform` weighs all exits the same instead, `last` counts the last alone. */
  readonly beta: number | 'uniform' | 'last';
  /** p(t), up to a factor, exit by exit; flat where absent. More of it on the last exits lets early ones take less of the layers. */
  readonly prior?: readonly number[];
  readonly adam?: Partial<AdamOptions>;
}

export interface StageTwoConfig {
  readonly steps: number;
  readonly rate: number;
  /** Temperature of the oracle, in units of the loss: dB, or nats of cross-entropy. */
  readonly beta: number;
  /** The price λ of the whole path's compute, in the same units. */
  readonly lambda: number;
  readonly divergence: 'forward' | 'reverse';
  /** `multiclass`: one softmax over all exits, which cannot be served; to compare with. */
  readonly policy?: 'sequential' | 'multiclass';
}

/** Fine-tuning of layers and policy together, at the temperature and price of Stage II; no steps leave it out. */
export interface StageThreeConfig {
  readonly steps: number;
  readonly rate: number;
}

export interface Batches {
  /**
   * The tensors of the next batch, by the names of the graph's inputs.
   * @param progress of Stage I, 0..1; the later stages give none and see what its end sees
   */
  next(progress?: number): Record<string, Tensor>;
}

/** Stage I: the layers and heads, with the oracle's own weights over the exits. */
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
    learn: learnt(family, 'model'),
    rate: cosine(config.rate),
    steps: config.steps,
    ...(config.minutes !== undefined && { minutes: config.minutes }),
    ...(config.adam && { adam: config.adam }),
    batch: (progress) => ({ ...batches.next(progress), 'log-prior': logPrior }),
  };
}

/** What a policy learns from. */
export interface Imitated {
  /** Of every sample at every exit, each [N]: cross-entropies, or squared errors in decibels. */
  readonly losses: readonly Value[];
  /** Of π at every exit but the last, each [N]. */
  readonly logits: readonly Value[];
  /** c_t, one for each exit, the last 1. */
  readonly costs: readonly number[];
}

/**
 * Stage II: the policy imitates the oracle, whose prior charges for compute: q*(t) ∝ exp(−(ℓ_t + λ c_t)/β), with
 * ℓ_t the loss at exit t and c_t the share of the path's compute that it takes.
 */
export function stageTwoOf(
  family: Family,
  { losses, logits, costs }: Imitated,
  { steps, rate, beta, lambda, divergence, policy = 'sequential' }: StageTwoConfig,
  batches: Batches,
): Stage {
  const target = logOracle(columns(losses), beta, logPriorInput(losses.length));
  const logQ = policy === 'sequential' ? logStopTime(logits) : logMulticlass(logits);
  const prior = priceOf(costs, lambda / beta);
  return {
    name: 'stage-2',
    loss: divergence === 'forward' ? forwardKl(target, logQ) : reverseKl(target, logQ),
    learn: learnt(family, 'policy'),
    rate: cosine(rate),
    steps,
    batch: () => ({ ...batches.next(), 'log-prior': prior }),
  };
}

/** Stage III: layers and policy together, by the bound that both stages share; arguments as for Stage II. */
export function stageThreeOf(
  family: Family,
  { losses, logits, costs }: Imitated,
  { steps, rate }: StageThreeConfig,
  { beta, lambda }: StageTwoConfig,
  batches: Batches,
): Stage {
  const prior = priceOf(costs, lambda / beta);
  return {
    name: 'stage-3',
    loss: joint(columns(losses), beta, logPriorInput(losses.length), logStopTime(logits)),
    learn: new Map([...learnt(family, 'model'), ...learnt(family, 'policy')]),
    rate: cosine(rate),
    steps,
    batch: () => ({ ...batches.next(), 'log-prior': prior }),
  };
}

/** The logarithm of p(t) ∝ exp(−price · c_t), up to a constant. */
const priceOf = (costs: readonly number[], price: number): Tensor =>
  tensor(
    Float32Array.from(costs, (cost) => -price * cost),
    [costs.length],
  );

/** 10 log₁₀ of a squared error. */
export const decibels = (error: Value): Value => mul(log(error), 10 / Math.LN10);

function learnt(family: Family, role: 'model' | 'policy'): Map<string, Value> {
  return new Map(
    [...family.parameters]
      .filter(([, p]) => p.role === role)
      .map(([name, { value }]) => [name, value]),
  );
}
