/** LISTA-stop: unrolled sparse recovery, measurements [N,m] → signal [N,n]. Every layer is an exit. */
import { linear, rootMeanSquare, square } from '../graph/functions.ts';
import {
  abs,
  add,
  concat,
  div,
  greater,
  greaterOrEqual,
  kthLargest,
  log,
  matmul,
  mul,
  relu,
  reshape,
  sign,
  sqrt,
  stopGradient,
  sub,
  swapLast,
  where,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { constant, normal, Parameters, type Family, type Values } from './family.ts';
import { definePerceptron } from './perceptron.ts';
import { linearMmse, type Matrix } from './matrix.ts';

/** Measurement matrix A [m,n] and size of the coupled form. */
export interface CoupledConfig {
  readonly matrix: Matrix;
  readonly depth: number;
  /** Support selection (Chen et al. 2018): the share of entries that are not shrunk, its growth per layer, and its bound. */
  readonly selectPerLayer: number;
  readonly selectMost: number;
  /** Width of the policy's hidden layer. */
  readonly hidden: number;
}

/** 16 layers; the unshrunk share grows by 0.6 % of the entries per layer, up to 10 %. */
export const defaultCoupled: Omit<CoupledConfig, 'matrix'> = {
  depth: 16,
  selectPerLayer: 0.006,
  selectMost: 0.1,
  hidden: 12,
};

/**
 * The coupled form: x_t = S(x_{t−1} + r_{t−1} W_t + μ_t (x_{t−1} − x_{t−2})), r_t = b − A x_t. The threshold is a learnt
 * multiple of the residual's root mean square, so that one model fits every noise level. The residual is part of the
 * state: the next layer needs it, and the policy can read it at no cost.
 */
export function defineCoupledLista({
  matrix,
  depth,
  selectPerLayer,
  selectMost,
  hidden,
}: CoupledConfig): Family {
  const { rows: m, columns: n } = matrix;
  const parameters = new Parameters();
  const a = parameters.define('matrix', [m, n], () => matrix.data, 'constant');
  const w0 = linearMmse(matrix, 0.1);
  const layers = Array.from({ length: depth }, (_, i) => ({
    w: parameters.define(`w-${i + 1}`, [m, n], () => w0.slice()),
    threshold: parameters.define(`threshold-${i + 1}`, [1], constant(1, 1)),
    momentum: i === 0 ? undefined : parameters.define(`momentum-${i + 1}`, [1], constant(1, 0)),
    select: Math.max(1, Math.round(Math.min(selectPerLayer * (i + 1), selectMost) * n)),
  }));
  const policies = layers.slice(0, -1).map((_, i) => definePolicy(parameters, i + 1, hidden));

  return {
    name: 'lista-coupled',
    depth,
    exits: layers.map((_, i) => i + 1),
    inputs: { measurements: ['N', m] },
    outputs: ['signal'],
    parameters: parameters.all,
    layer(t, { measurements, signal, residual, change }): Values {
      const { w, threshold, momentum, select } = layers[t - 1]!;
      const r = residual ?? measurements!;
      const step = matmul(r, w);
      const moved = momentum ? add(signal!, add(step, mul(change!, momentum))) : step;
      const next = shrink(moved, mul(rootMeanSquare(r, [1]), threshold), select);
      return {
        signal: next,
        residual: sub(measurements!, matmul(next, swapLast(a))),
        change: signal ? sub(next, signal) : next,
      };
    },
    policy: (t, read) => policies[t - 1]!(read),
  };
}

/** Soft threshold at `level` [N,1]; the `select` largest entries above it are not shrunk. */
function shrink(x: Value, level: Value, select: number): Value {
  const size = abs(x);
  const soft = mul(sign(x), relu(sub(size, level)));
  const kth = stopGradient(kthLargest(size, select));
  return where(greater(level, size), soft, where(greaterOrEqual(size, kth), x, soft));
}

/** A perceptron on four features: the sizes of residual, signal and last change relative to the measurements. */
function definePolicy(parameters: Parameters, t: number, hidden: number): (read: Values) => Value {
  const perceptron = definePerceptron(parameters, t, 4, hidden);
  const size = (x: Value): Value => log(add(rootMeanSquare(x, [1]), 1e-6));
  return ({ measurements, signal, residual, change }) => {
    const whole = size(measurements!);
    const features = concat(
      [sub(size(residual!), whole), sub(size(change!), whole), sub(size(signal!), whole), whole],
      1,
    );
    return perceptron(add(features, 1));
  };
}

/** Measurement matrix A [m,n], depth and initial values of the published form. */
export interface PublishedConfig {
  readonly matrix: Matrix;
  readonly depth: number;
  /** L and ρ of the initial W1 = Aᵀ/L, W2 = I − AᵀA/L, θ = ρ/L. */
  readonly lipschitz: number;
  readonly penalty: number;
}

/** 20 layers, with L = 3 and ρ = 0.1 as initial values. */
export const defaultPublished: Omit<PublishedConfig, 'matrix'> = {
  depth: 20,
  lipschitz: 3,
  penalty: 0.1,
};

/**
 * The published form: x_t = S_θt(b W1_t + x_{t−1} W2_t), untied, with a policy of 256-128-16-1 on
 * [b, b − A x_t, x_t, position], shared by all layers. The policy costs as much as a layer; kept for comparison.
 */
export function definePublishedLista({
  matrix,
  depth,
  lipschitz,
  penalty,
}: PublishedConfig): Family {
  const { rows: m, columns: n, data } = matrix;
  const parameters = new Parameters();
  const a = parameters.define('matrix', [m, n], () => data, 'constant');
  const layers = Array.from({ length: depth }, (_, i) => ({
    w1: parameters.define(`w1-${i + 1}`, [m, n], () => data.map((value) => value / lipschitz)),
    w2:
      i === 0
        ? undefined
        : parameters.define(`w2-${i + 1}`, [n, n], () => identityMinusGram(matrix, lipschitz)),
    threshold: parameters.define(`threshold-${i + 1}`, [1], constant(1, penalty / lipschitz)),
  }));
  const policy = definePublishedPolicy(parameters, m, n, depth);

  return {
    name: 'lista',
    depth,
    exits: layers.map((_, i) => i + 1),
    inputs: { measurements: ['N', m] },
    outputs: ['signal'],
    parameters: parameters.all,
    layer(t, { measurements, signal }): Values {
      const { w1, w2, threshold } = layers[t - 1]!;
      const direct = matmul(measurements!, w1);
      const moved = w2 ? add(direct, matmul(signal!, w2)) : direct;
      return { signal: mul(smoothSign(moved), relu(sub(abs(moved), threshold))) };
    },
    policy: (t, { measurements, signal }) =>
      policy(t, measurements!, sub(measurements!, matmul(signal!, swapLast(a))), signal!),
  };
}

/** x / √(x² + ε): a smooth sign function. */
const smoothSign = (x: Value): Value => div(x, sqrt(add(square(x), 1e-8)));

function identityMinusGram({ rows, columns, data }: Matrix, lipschitz: number): Float32Array {
  const result = new Float32Array(columns * columns);
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < rows; k++) sum += data[k * columns + i]! * data[k * columns + j]!;
      result[i * columns + j] = (i === j ? 1 : 0) - sum / lipschitz;
    }
  }
  return result;
}

function definePublishedPolicy(parameters: Parameters, m: number, n: number, depth: number) {
  const widths = [2 * m + n, 256, 128, 16, 1];
  const layers = widths.slice(1).map((to, i) => {
    const from = widths[i]!;
    return {
      w: parameters.define(
        `policy-w${i + 1}`,
        [from, to],
        normal(from * to, Math.sqrt(1 / from)),
        'policy',
      ),
      b: parameters.define(`policy-b${i + 1}`, [to], constant(to, 0), 'policy'),
    };
  });
  const position = ['sine', 'cosine'].map((name) =>
    parameters.define(`policy-position-${name}`, [256], normal(256, 0.1), 'policy'),
  ) as [Value, Value];
  return (t: number, b: Value, residual: Value, signal: Value): Value => {
    const angle = (Math.PI * t) / depth;
    const code = add(mul(position[0], Math.sin(angle)), mul(position[1], Math.cos(angle)));
    const last = layers.length - 1;
    const logit = layers.reduce<Value>(
      (x, { w, b: bias }, i) => {
        const y = add(linear(x, w, bias), i === 0 ? code : 0);
        return i < last ? relu(y) : y;
      },
      concat([b, residual, signal], 1),
    );
    return reshape(logit, [b.shape[0]!]);
  };
}
