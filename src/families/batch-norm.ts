/**
 * Convolutions followed by batch normalisation (Ioffe & Szegedy 2015). In training each batch is normalised by its own
 * statistics. For serving, the statistics of many batches are folded into kernel and bias, which leaves a plain convolution.
 */
import { batchNorm, square } from '../graph/functions.ts';
import { add, conv, reduceMean, reshape, sub } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { constant, normal, type Family, type Parameters, type Values } from './family.ts';

const EPSILON = 1e-5;

/** Mean and variance of every channel, each [K]. */
export interface Statistics<T> {
  readonly mean: T;
  readonly variance: T;
}

/** A convolution [K,C,k,k] with batch normalisation, in its training form and its folded form. */
export interface NormalisedConv {
  readonly name: string;
  /** [N,C,h,w] → [N,K,h,w], normalised by the batch statistics. */
  learn(x: Value): Value;
  /** [N,C,h,w] → [N,K,h,w] with folded statistics. */
  serve(x: Value): Value;
  statistics(x: Value): Statistics<Value>;
}

/** A family in a training form and a serving form that share one parameter table. */
export interface Normalised {
  /** The form that is exported. */
  readonly family: Family;
  /** The form that is trained. */
  readonly training: Family;
  /** The inputs of the normalisations in layer `t`, by the convolution's name. */
  readonly statistics: (t: number, read: Values) => Readonly<Record<string, Statistics<Value>>>;
}

/** Defines the parameters `layer-NAME` [K,C,k,k], `scale-NAME`, `shift-NAME` and, folded, `bias-NAME`, all [K,1,1]. */
export function defineNormalisedConv(
  parameters: Parameters,
  name: string,
  { from, to, size, scale: start = 1 }: { from: number; to: number; size: number; scale?: number },
): NormalisedConv {
  const fanIn = from * size * size;
  const kernel = parameters.define(
    `layer-${name}`,
    [to, from, size, size],
    normal(to * fanIn, Math.sqrt(2 / fanIn)),
  );
  const scale = parameters.define(`scale-${name}`, [to, 1, 1], constant(to, start));
  const shift = parameters.define(`shift-${name}`, [to, 1, 1], constant(to, 0));
  const bias = parameters.define(`bias-${name}`, [to, 1, 1], constant(to, 0), 'derived');
  return {
    name,
    learn: (x) => batchNorm(conv(x, kernel), scale, shift, EPSILON),
    serve: (x) => add(conv(x, kernel), bias),
    statistics(x) {
      const y = conv(x, kernel);
      const mean = reduceMean(y, [0, 2, 3], true);
      return { mean: reshape(mean, [to]), variance: reduceMean(square(sub(y, mean)), [0, 2, 3]) };
    },
  };
}

/**
 * Folds the statistics of a convolution into its kernel and bias. Training can continue from there: batch normalisation of
 * the folded kernel's output gives the same result, with the scale's absolute value as the new scale.
 */
export function fold(
  weights: Map<string, Float32Array>,
  name: string,
  { mean, variance }: Statistics<Float32Array>,
): void {
  const [kernel, scale, shift] = ['layer', 'scale', 'shift'].map((kind) =>
    weights.get(`${kind}-${name}`)!,
  ) as [Float32Array, Float32Array, Float32Array];
  const gain = scale.map((value, c) => value / Math.sqrt(variance[c]! + EPSILON));
  const size = kernel.length / gain.length;
  weights.set(
    `layer-${name}`,
    kernel.map((value, i) => value * gain[Math.floor(i / size)]!),
  );
  weights.set(`scale-${name}`, scale.map(Math.abs));
  weights.set(
    `bias-${name}`,
    shift.map((value, c) => value - mean[c]! * gain[c]!),
  );
}
