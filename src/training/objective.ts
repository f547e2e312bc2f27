/** The objectives of the stages as graphs. Losses are [N,E], one column for each exit. */
import { logSigmoid, logSoftmax, logSumExp } from '../graph/functions.ts';
import {
  add,
  concat,
  div,
  exp,
  input,
  min,
  mul,
  neg,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  stopGradient,
  sub,
} from '../graph/operators.ts';
import type { Shape, Value } from '../graph/value.ts';

/** E columns [N] → [N,E]. */
export const columns = (values: readonly Value[]): Value =>
  concat(
    values.map((value) => reshape(value, [value.shape[0]!, 1])),
    1,
  );

/** log p(t) + log p(y|t,x)/β, up to a constant, for the prior p(t) ∝ exp(−λ c_t): [N,E]. */
function logJoint(losses: Value, beta: number, logPrior: Value): Value {
  return add(div(neg(losses), beta), logPrior);
}

/** Log prior over the exits, [E]: an input of the training step, so that the price λ can change during training. */
export const logPriorInput = (exits: number): Value => input('log-prior', [exits] satisfies Shape);

/** Stage I: −β log Σ_t p(t) exp(−ℓ_t/β), the negative log marginal likelihood for β = 1, averaged over the batch. */
export function stageOne(losses: Value, beta: number, logPrior: Value): Value {
  return mul(reduceMean(logSumExp(logJoint(losses, beta, logPrior), 1)), -beta);
}

/** All exits weighted equally, for comparison with Stage I. */
export const uniformLoss = (losses: Value): Value => reduceMean(losses);

/** log q*(t|y,x), [N,E]; no gradient flows into the losses. */
export function logOracle(losses: Value, beta: number, logPrior: Value): Value {
  return stopGradient(logSoftmax(logJoint(losses, beta, logPrior), 1));
}

/** log q(t) from the logits of π: log π_t + Σ_{s<t} log (1 − π_s), with π_T = 1: [N,E]. */
export function logStopTime(logits: readonly Value[]): Value {
  const result: Value[] = [];
  let remaining: Value | undefined;
  for (const logit of logits) {
    const stop = logSigmoid(logit);
    result.push(remaining ? add(remaining, stop) : stop);
    const go = logSigmoid(neg(logit));
    remaining = remaining ? add(remaining, go) : go;
  }
  return columns([...result, remaining!]);
}

/** log q(t) by one softmax over all exits, for comparison: it needs all states before it can choose. */
export const logMulticlass = (logits: readonly Value[]): Value =>
  logSoftmax(columns([...logits, mul(logits[0]!, 0)]), 1);

/**
 * Both stages at once: Σ_t q(t) (ℓ_t/β − log p(t) + log q(t)), averaged over the batch. Its gradient reaches the layers,
 * weighted by where the policy stops, and the policy.
 */
export function joint(losses: Value, beta: number, logPrior: Value, logQ: Value): Value {
  return reduceMean(reduceSum(mul(exp(logQ), sub(logQ, logJoint(losses, beta, logPrior))), [1]));
}

/** Stage II, forward: −Σ_t q*(t) log q(t), averaged over the batch. */
export function forwardKl(logTarget: Value, logQ: Value): Value {
  return neg(reduceMean(reduceSum(mul(exp(logTarget), logQ), [1])));
}

/** Stage II, reverse: Σ_t q(t) (log q(t) − log q*(t)), the maximum-entropy reinforcement-learning objective. */
export function reverseKl(logTarget: Value, logQ: Value): Value {
  return reduceMean(reduceSum(mul(exp(logQ), sub(logQ, logTarget)), [1]));
}

/**
 * Cross-entropy of π_t from exp(−g_t/β), averaged over exits and batch, where g_t = max(0, ℓ_t − min_{s>t} ℓ_s) is what the
 * best later exit gains. Where the losses of several exits tie, imitation of the oracle has nothing to learn from; this has.
 *
 * @param losses at every exit, each [N]
 * @param logits of π at every exit but the last, each [N]
 */
export function gainLoss(losses: readonly Value[], logits: readonly Value[], beta: number): Value {
  let best = losses.at(-1)!;
  const targets: Value[] = [];
  for (const loss of losses.slice(0, -1).reverse()) {
    targets.unshift(stopGradient(exp(div(neg(relu(sub(loss, best))), beta))));
    best = min(best, loss);
  }
  const terms = logits.map((logit, t) =>
    add(mul(targets[t]!, logSigmoid(logit)), mul(sub(1, targets[t]!), logSigmoid(neg(logit)))),
  );
  return neg(reduceMean(columns(terms)));
}
