/**
 * Convolutions with batch normalisation behind them (Ioffe & Szegedy 2015). While they learn, each batch is normalised by
 * its own statistics; then the statistics of many batches are folded into kernel and bias, and what is served is a plain
 * convolution.
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

export interface NormalisedConv {
  readonly name: string;
  /** [N,C,h,w] → [N,K,h,w], normalised by the statistics of this batch. */
  learn(x: Value): Value;
  /** The same with the statistics that were folded in. */
  serve(x: Value): Value;
  statistics(x: Value): Statistics<Value>;
}

/** A family in the two forms of its convolutions; the parameters of both are in one table. */
export interface Normalised {
  /** What is exported. */
  readonly family: Family;
  /** What is trained. */
  readonly training: Family;
  /** What layer `t` normalises, by the convolution's name. */
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
 * Folds the statistics of the convolution of this name into its kernel and bias. Learning can go on from there: normalised
 * again by its batch, the folded kernel gives the same, with the scale's absolute value as its scale.
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
