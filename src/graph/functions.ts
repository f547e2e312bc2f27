/** Functions composed of operators of the table. */
import {
  abs,
  add,
  div,
  exp,
  log,
  matmul,
  max,
  mul,
  neg,
  reduceMax,
  reduceMean,
  reduceSum,
  reshape,
  sqrt,
  stopGradient,
  sub,
} from './operators.ts';
import type { Value } from './value.ts';

/** x², elementwise; its gradient is 2x. */
export const square = (x: Value): Value => mul(x, x);

/** x [N,i] · w [i,o] + b [o]. */
export const linear = (x: Value, w: Value, b?: Value): Value =>
  b ? add(matmul(x, w), b) : matmul(x, w);

/** log Σ exp along one axis, which is removed. */
export function logSumExp(x: Value, axis: number): Value {
  const top = stopGradient(reduceMax(x, [axis], true));
  const sum = log(reduceSum(exp(sub(x, top)), [axis], true));
  return reshape(
    add(sum, top),
    x.shape.filter((_, i) => i !== axis),
  );
}

/** x − log Σ exp x along one axis, stable for large values; the shape is unchanged. */
export function logSoftmax(x: Value, axis: number): Value {
  const kept = x.shape.map((dim, i) => (i === axis ? 1 : dim));
  return sub(x, reshape(logSumExp(x, axis), kept));
}

/** log σ(x), without overflow. */
export const logSigmoid = (x: Value): Value =>
  sub(neg(max(neg(x), 0)), log(add(1, exp(neg(abs(x))))));

/** The root mean square along `axes`, which are kept with size 1. */
export const rootMeanSquare = (x: Value, axes: readonly number[], epsilon = 1e-12): Value =>
  sqrt(add(reduceMean(square(x), axes, true), epsilon));

/**
 * Batch normalisation per channel of [N,C,H,W] with the statistics of the batch; scale and shift are [C,1,1].
 * The variance is computed as E x² − (E x)² and the affine part is folded into one multiply-add: far fewer passes over the
 * batch, forward and backward, than centring it first.
 */
export function batchNorm(x: Value, scale: Value, shift: Value, epsilon = 1e-5): Value {
  const axes = [0, 2, 3];
  const mean = reduceMean(x, axes, true);
  const variance = max(sub(reduceMean(square(x), axes, true), square(mean)), 0);
  const gain = div(scale, sqrt(add(variance, epsilon)));
  return add(mul(x, gain), sub(shift, mul(mean, gain)));
}
