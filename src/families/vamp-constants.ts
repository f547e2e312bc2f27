/** Constants of unfolded VAMP: the matrix in the basis of its singular vectors, and fixed products. */
import type { Value } from '../graph/value.ts';
import { Parameters } from './family.ts';
import { singularValues, transposed, type Matrix } from './matrix.ts';

/** Bands of the spectrum over which the residual's power is averaged: error and noise differ in how they spread over it. */
export const BANDS = 4;

/** Constants shared by the layers. B = Uᵀ A is the matrix in the basis of U. */
export interface Constants {
  readonly u: Value;
  readonly b: Value;
  readonly bt: Value;
  /** s², [k]. */
  readonly powers: Value;
  /** The weights of s² in each entry of the signal, [k,n]; only where entries are scaled. */
  readonly shares: Value | undefined;
  /** k/n: the share of the signal's entries that the measurements could determine. */
  readonly entries: number;
  readonly scales: Value | undefined;
  /** Squares of the scales over their mean, [n]. */
  readonly relative: Value | undefined;
  readonly bands: Value;
  readonly features: Value;
  readonly policyFeatures: Value;
}

/** The parameters that every layer shares, from the singular value decomposition A = U diag(s) Vᵀ. */
export function prepare(matrix: Matrix, scales: Float32Array | undefined) {
  const { rows: m, columns: n } = matrix;
  const whole = scales ? scaled(matrix, scales) : matrix;
  const unit = columnNorm(whole);
  const { left, values, right } = singularValues({
    ...whole,
    data: whole.data.map((value) => value / unit),
  });
  const k = values.length;
  const seen = right.map((value, i) => value * values[Math.floor(i / n)]!);
  const parameters = new Parameters();
  const define = (name: string, shape: readonly number[], data: () => Float32Array): Value =>
    parameters.define(name, shape, data, 'constant');
  const constants: Constants = {
    u: define('left', [m, k], () => left),
    b: define('rotated-matrix', [k, n], () => seen),
    bt: define('rotated-matrix-transposed', [n, k], () => transposed(seen, k, n)),
    powers: define('powers', [k], () => values.map((value) => value * value)),
    shares: scales && define('shares', [k, n], () => seen.map((value) => value * value)),
    entries: k / n,
    scales: scales && define('scales', [n], () => scales),
    relative: scales && define('relative-powers', [n], () => relativePowers(scales)),
    bands: define('bands', [k, BANDS], () => bandMeans(k)),
    features: define('level-features', [BANDS + 4, BANDS + 4], () => levelFeatures()),
    policyFeatures: define('policy-features', [6, 6], () => policyFeatures.slice()),
  };
  return { m, n, values, unit, constants, parameters };
}

/** Root mean square of the columns' norms. @throws Error where the matrix is zero */
function columnNorm({ columns, data }: Matrix): number {
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0)
    throw new Error('The matrix is zero: its measurements say nothing of a signal.');
  const squares = data.reduce((sum, value) => sum + (value / largest) ** 2, 0);
  return largest * Math.sqrt(squares / columns);
}

/** A diag(scales). */
const scaled = ({ rows, columns, data }: Matrix, scales: Float32Array): Matrix => ({
  rows,
  columns,
  data: data.map((value, i) => value * scales[i % columns]!),
});

function relativePowers(scales: Float32Array): Float32Array {
  const squares = Float64Array.from(scales, (scale) => scale ** 2);
  const mean = squares.reduce((a, b) => a + b, 0) / squares.length;
  return Float32Array.from(squares, (power) => power / mean);
}

/** Averages over equal parts of the spectrum, which overlap where k is smaller than BANDS, as a product: [k,BANDS]. */
function bandMeans(k: number): Float32Array {
  const means = new Float32Array(k * BANDS);
  for (let band = 0; band < BANDS; band++) {
    const from = Math.min(Math.round((band * k) / BANDS), k - 1);
    const to = Math.max(Math.round(((band + 1) * k) / BANDS), from + 1);
    for (let i = from; i < to; i++) means[i * BANDS + band] = 1 / (to - from);
  }
  return means;
}

/**
 * From the logarithms of the bands, the error's variance v, the noise's n, the odds o and the slab's variance t to half of
 * bands − v, n − v, o and t − v, and 0.15 v.
 */
function levelFeatures(): Float32Array {
  const [v, n, o, t] = [BANDS, BANDS + 1, BANDS + 2, BANDS + 3];
  return linearMap(BANDS + 4, [
    ...Array.from({ length: BANDS }, (_, band) => [
      [band, 0.5],
      [v, -0.5],
    ]),
    [
      [n, 0.5],
      [v, -0.5],
    ],
    [[o, 0.5]],
    [
      [t, 0.5],
      [v, -0.5],
    ],
    [[v, 0.15]],
  ]);
}

/**
 * From the logarithms of uncertainty u, that at the exit before b, error v, noise n, odds o and slab t to u − b, v − u, n − u,
 * o, t and u, scaled to about one.
 */
const policyFeatures = linearMap(6, [
  [
    [0, 1],
    [1, -1],
  ],
  [
    [2, 0.5],
    [0, -0.5],
  ],
  [
    [3, 0.5],
    [0, -0.5],
  ],
  [[4, 0.5]],
  [[5, 0.5]],
  [[0, 0.15]],
]);

/** The matrix [size,size] whose column j is the sum of `weight` times the input `from`. */
function linearMap(
  size: number,
  outputs: readonly (readonly (readonly number[])[])[],
): Float32Array {
  const matrix = new Float32Array(size * size);
  outputs.forEach((terms, j) => {
    for (const [from, weight] of terms) matrix[from! * size + j] = weight!;
  });
  return matrix;
}
