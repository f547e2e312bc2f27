/** Sparse recovery without learning: ISTA, FISTA and VAMP as graphs of one iteration. */
import { singularValues, transposed, type Matrix } from '../../../src/families/matrix.ts';
import { square } from '../../../src/graph/functions.ts';
import { toModel } from '../../../src/graph/model.ts';
import {
  abs,
  add,
  clip,
  div,
  input,
  log,
  matmul,
  mul,
  reduceMean,
  relu,
  sigmoid,
  sign,
  sub,
} from '../../../src/graph/operators.ts';
import type { Value } from '../../../src/graph/value.ts';
import { floats, scalar, Session, tensor, type Tensors } from '../../../src/runtime/session.ts';

type Values = Readonly<Record<string, Value>>;

export interface Iteration {
  readonly weights: Readonly<
    Record<string, { readonly data: Float32Array; readonly dims: readonly number[] }>
  >;
  /** Width and initial value of each state; one of them is `signal`. */
  readonly states: Readonly<
    Record<
      string,
      { readonly width: number; readonly initial: (measurements: Float32Array) => number }
    >
  >;
  /** What the method is told of every sample, [N] each; the step reads it as [N,1]. */
  readonly told?: Readonly<Record<string, Float32Array>>;
  /** Scalar input `schedule` of iteration i, from 0. */
  readonly schedule?: (iteration: number) => number;
  /** From `measurements` [N,m], weights and states [N,width] to the next states. */
  readonly step: (read: Values) => Values;
}

/** Runs the iterations on `count` measurement vectors, concatenated. @returns the signals [N,n] after each iteration. */
export async function iterate(
  iteration: Iteration,
  measurements: Float32Array,
  count: number,
  iterations: number,
): Promise<Float32Array[]> {
  const { weights, states, told = {}, schedule = () => 0, step } = iteration;
  const m = measurements.length / count;
  const leaves: Values = {
    measurements: input('measurements', ['N', m]),
    schedule: input('schedule', []),
    ...Object.fromEntries(
      Object.entries(weights).map(([name, { dims }]) => [name, input(name, dims)]),
    ),
    ...Object.fromEntries(
      Object.entries(states).map(([name, { width }]) => [name, input(name, ['N', width])]),
    ),
    ...Object.fromEntries(Object.keys(told).map((name) => [name, input(name, ['N', 1])])),
  };
  const outputs = Object.fromEntries(
    Object.entries(step(leaves)).map(([name, value]) => [`next:${name}`, value]),
  );
  const session = await Session.load(
    toModel({ outputs, weights: new Map(Object.entries(weights)) }),
  );
  const signals: Float32Array[] = [];
  let current = initialStates(iteration, measurements, count);
  for (let i = 0; i < iterations; i++) {
    const feeds: Tensors = {
      measurements: tensor(measurements, [count, m]),
      schedule: scalar(schedule(i)),
      ...Object.fromEntries(
        Object.entries(told).map(([name, data]) => [name, tensor(data, [count, 1])]),
      ),
      ...current,
    };
    const result = await session.run(session.pick(feeds));
    current = Object.fromEntries(
      Object.keys(states).map((name) => [name, result[`next:${name}`]!]),
    );
    signals.push(floats(current.signal!));
  }
  await session.release();
  return signals;
}

function initialStates({ states }: Iteration, measurements: Float32Array, count: number): Tensors {
  const m = measurements.length / count;
  return Object.fromEntries(
    Object.entries(states).map(([name, { width, initial }]) => {
      const data = new Float32Array(count * width);
      for (let i = 0; i < count; i++)
        data.fill(initial(measurements.subarray(i * m, (i + 1) * m)), i * width, (i + 1) * width);
      return [name, tensor(data, [count, width])];
    }),
  );
}

const stepSizes = new WeakMap<Matrix, number>();

/** 1/λ_max(AᵀA), cached per matrix because it needs a singular value decomposition. */
function stepSize(matrix: Matrix): number {
  const size = stepSizes.get(matrix) ?? 1 / singularValues(matrix).values[0]! ** 2;
  stepSizes.set(matrix, size);
  return size;
}

/**
 * ISTA and, with momentum, FISTA (Beck & Teboulle 2009) for ½‖b − A x‖² + ρ‖x‖₁, with steps of 1/λ_max(AᵀA).
 * @param penalty ρ, or one for each entry of x
 */
export function ista(matrix: Matrix, penalty: number | Float32Array, momentum: boolean): Iteration {
  const { rows, columns, data } = matrix;
  const size = stepSize(matrix);
  const zero = { width: columns, initial: () => 0 };
  const bounds = Float32Array.from(
    { length: columns },
    (_, j) => size * (typeof penalty === 'number' ? penalty : penalty[j]!),
  );
  let t = 1;
  return {
    weights: {
      bounds: { data: bounds, dims: [columns] },
      a: { data, dims: [rows, columns] },
      at: { data: transposed(data, rows, columns), dims: [columns, rows] },
    },
    states: { signal: zero, from: zero },
    schedule(i) {
      const before = i === 0 ? 1 : t;
      t = (1 + Math.sqrt(1 + 4 * before * before)) / 2;
      return momentum ? (before - 1) / t : 0;
    },
    step({ measurements, bounds, a, at, signal, from, schedule }) {
      const residual = sub(measurements!, matmul(from!, at!));
      const moved = add(from!, mul(matmul(residual, a!), size));
      const next = mul(sign(moved), relu(sub(abs(moved), bounds!)));
      return { signal: next, from: add(next, mul(sub(next, signal!), schedule!)) };
    },
  };
}

/** What VAMP may be told of every sample beside the variance of its entries, one: [N] each. */
interface Told {
  readonly sparsity: Float32Array;
  /** Variance of the noise. */
  readonly noise: Float32Array;
}

/**
 * VAMP (Rangan, Schniter & Fletcher 2017) given the prior: Bernoulli–normal with this sparsity and variance one.
 * The noise variance is told, or estimated for each sample by expectation maximisation (Fletcher & Schniter 2017).
 */
export function vamp(matrix: Matrix, prior: number | Told): Iteration {
  const { rows, columns: n } = matrix;
  const { left, values, right } = singularValues(matrix);
  const k = values.length;
  const seen = right.map((value, i) => value * values[Math.floor(i / n)]!);
  const total = (measurements: Float32Array): number =>
    measurements.reduce((sum, value) => sum + value * value, 1e-10) / k;
  const power = values.reduce((sum, value) => sum + value * value, 0) / k;
  const told = typeof prior === 'number' ? undefined : prior;
  const oddsOf = (sparsity: number): number => Math.log(sparsity / (1 - sparsity));
  return {
    ...(told && { told: { odds: told.sparsity.map(oddsOf), variances: told.noise } }),
    weights: {
      u: { data: left, dims: [rows, k] },
      b: { data: seen, dims: [k, n] },
      bt: { data: transposed(seen, k, n), dims: [n, k] },
      powers: { data: values.map((value) => value * value), dims: [k] },
    },
    states: {
      signal: { width: n, initial: () => 0 },
      prediction: { width: n, initial: () => 0 },
      variance: { width: 1, initial: (measurements) => total(measurements) / power },
      noise: { width: 1, initial: (measurements) => total(measurements) / 100 },
    },
    step({ measurements, u, b, bt, powers, prediction, variance, noise: before, odds, variances }) {
      const residual = sub(matmul(measurements!, u!), matmul(prediction!, bt!));
      // E step: the posterior of the noise. M step: its mean square is the next variance.
      const expected = mul(powers!, variance!);
      const trust = div(before!, add(expected, before!));
      const noise =
        variances ?? reduceMean(add(square(mul(residual, trust)), mul(expected, trust)), [1], true);
      const gain = div(expected, add(expected, noise));
      const share = mul(reduceMean(gain, [1], true), k / n);
      const moved = add(prediction!, div(matmul(div(mul(gain, residual), powers!), b!), share));
      const error = div(mul(variance!, sub(1, share)), share);
      const { mean, posterior } = posteriorMean(moved, error, odds ?? oddsOf(prior as number));
      const slope = clip(div(posterior, error), 1e-5, 0.99);
      const rest = sub(1, slope);
      return {
        signal: mean,
        prediction: div(sub(mean, mul(moved, slope)), rest),
        variance: div(mul(error, slope), rest),
        noise,
      };
    },
  };
}

/** Posterior mean [N,n] and variance averaged over entries [N,1] of x given x + N(0, error), for a Bernoulli–normal prior. */
function posteriorMean(
  seen: Value,
  error: Value,
  odds: Value | number,
): { mean: Value; posterior: Value } {
  const sum = add(error, 1);
  const evidence = add(
    mul(square(seen), div(div(0.5, sum), error)),
    add(mul(log(div(error, sum)), 0.5), odds),
  );
  const active = sigmoid(clip(evidence, -60, 60));
  const ifActive = div(seen, sum);
  const mean = mul(active, ifActive);
  const spread = add(mul(mean, sub(ifActive, mean)), mul(active, div(error, sum)));
  return { mean, posterior: reduceMean(spread, [1], true) };
}
