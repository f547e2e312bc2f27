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
  reshape,
  sigmoid,
  slice,
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
 * Stage II, by predicted gain: π_t is trained towards σ(−g_t/β), averaged over batch and exits, where
 * g_t = ℓ_t − min_{s>t} (ℓ_s + λ (c_s − c_t)) is what going on gains, less the price of compute. Where exits are nearly level
 * the oracle posterior is flat and has nothing to imitate; the sign of g_t still says whether to stop.
 * @param losses [N,E]; no gradient flows into them
 * @param logPrior −λ c_t/β up to a constant, [E]
 * @param logits of π at every exit but the last, each [N]
 */
export function gainEntropy(
  losses: Value,
  beta: number,
  logPrior: Value,
  logits: readonly Value[],
): Value {
  const joint = stopGradient(neg(logJoint(losses, beta, logPrior)));
  const priced = [...logits, undefined].map((_, t) => slice(joint, 1, t, t + 1));
  let best = priced.at(-1)!;
  const entropies = logits.map(() => best);
  for (let t = logits.length - 1; t >= 0; t--) {
    const logit = columns([logits[t]!]);
    const target = sigmoid(sub(best, priced[t]!));
    entropies[t] = neg(
      add(mul(target, logSigmoid(logit)), mul(sub(1, target), logSigmoid(neg(logit)))),
    );
    best = min(best, priced[t]!);
  }
  return reduceMean(concat(entropies, 1));
}
