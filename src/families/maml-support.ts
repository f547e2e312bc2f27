/** The support set of a task: its labels, its loss, and the policy's input. */
import { logSoftmax, square } from '../graph/functions.ts';
import {
  add,
  concat,
  div,
  exp,
  log,
  matmul,
  max,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  sub,
  swapLast,
} from '../graph/operators.ts';
import type { Dim, Value } from '../graph/value.ts';

/** The images' labels, and the weights by which every class counts the same. */
export interface Support {
  /** [S,K]. */
  readonly labels: Value;
  /** 1 / (number of images of the class) for each image, [S,1]: all classes have equal weight. */
  readonly weights: Value;
  /** K, []. */
  readonly ways: Value;
  /** The mean number of images of a class, []. */
  readonly shots: Value;
  /** Maps images to class means: [K,S]. */
  readonly means: Value;
}

/** Class counts and weights of a support set. @param given one-hot labels of one task, [1,S,K] */
export function supportOf(given: Value): Support {
  const labels = unwrap(given);
  const counts = max(reduceSum(labels, [0], true), 1);
  const shares = div(labels, counts);
  const weights = reduceSum(shares, [1], true);
  const ways = reduceSum(weights);
  return { labels, weights, ways, shots: div(reduceSum(counts), ways), means: swapLast(shares) };
}

/** The mean over the classes of the mean cross-entropy of their images, []. */
export function lossOf(logits: Value, { labels, weights, ways }: Support): Value {
  return div(neg(reduceSum(mul(mul(labels, logSoftmax(logits, 1)), weights))), ways);
}

/** Length of a summary. */
export const SUMMARY_SIZE = 5;

/**
 * Input of the policy after a step, [SUMMARY_SIZE], each of about unit size: the support loss, images per class, number of
 * classes, distance between probabilities and labels, and distance between classes. The image features are left out: there
 * are too many for the few hundred tasks that a policy is trained on.
 */
export function summary(logits: Value, features: Value, support: Support): Value {
  const { labels, weights, ways, shots, means } = support;
  const misses = div(
    reduceSum(mul(square(sub(exp(logSoftmax(logits, 1)), labels)), weights)),
    ways,
  );
  const spread = reduceMean(square(sub(matmul(means, features), reduceMean(features, [0], true))));
  const loss = mul(add(log(add(lossOf(logits, support), 1e-3)), 5), 0.5);
  return concat(
    [loss, log(shots), sub(log(ways), 2), mul(misses, 5), mul(spread, 5)].map((value) =>
      reshape(value, [1]),
    ),
    0,
  );
}

/** Drops the leading dimension of 1. */
export const unwrap = (x: Value): Value => reshape(x, x.shape.slice(1) satisfies readonly Dim[]);
