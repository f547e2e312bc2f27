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
  /** s², and their weights in the entries of the signal: on average, [k,1], or for each entry, [k,n]. */
  readonly powers: Value;
  readonly shares: Value;
  readonly scales: Value | undefined;
  readonly bands: Value;
  readonly features: Value;
  readonly policyFeatures: Value;
}

/** The parameters that every layer shares, from the singular value decomposition A = U diag(s) Vᵀ. */
export function prepare(matrix: Matrix, scales: Float32Array | undefined) {
  const { rows: m, columns: n } = matrix;
  const { left, values, right } = singularValues(scales ? scaled(matrix, scales) : matrix);
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
    shares: scales
      ? define('shares', [k, n], () => seen.map((value) => value * value))
      : define('shares', [k, 1], () => values.map((value) => (value * value) / n)),
    scales: scales && define('scales', [n], () => scales),
    bands: define('bands', [k, BANDS], () => bandMeans(k)),
    features: define('level-features', [BANDS + 2, BANDS + 2], () => levelFeatures()),
    policyFeatures: define('policy-features', [4, 4], () => policyFeatures.slice()),
  };
  return { m, n, values, constants, parameters };
}

/** A diag(scales). */
const scaled = ({ rows, columns, data }: Matrix, scales: Float32Array): Matrix => ({
  rows,
  columns,
  data: data.map((value, i) => value * scales[i % columns]!),
});

/** Averages over equal parts of the spectrum, as a product: [k,BANDS]. */
function bandMeans(k: number): Float32Array {
  const means = new Float32Array(k * BANDS);
  for (let band = 0; band < BANDS; band++) {
    const [from, to] = [Math.round((band * k) / BANDS), Math.round(((band + 1) * k) / BANDS)];
    for (let i = from; i < to; i++) means[i * BANDS + band] = 1 / (to - from);
  }
  return means;
}

/** From the logarithms of the bands, the error's variance v and the noise's n to half of bands − v, n − v and 0.3 v. */
function levelFeatures(): Float32Array {
  const size = BANDS + 2;
  const [v, n] = [BANDS, BANDS + 1];
  const matrix = new Float32Array(size * size);
  for (let column = 0; column <= BANDS; column++) {
    matrix[(column < BANDS ? column : n) * size + column] = 0.5;
    matrix[v * size + column] = -0.5;
  }
  matrix[v * size + size - 1] = 0.15;
  return matrix;
}

/** From the logarithms of uncertainty, error, noise and size z to half of uncertainty − z, noise − z, error − z, and z. */
const policyFeatures = Float32Array.of(
  ...[0.5, 0, 0, 0],
  ...[0, 0, 0.5, 0],
  ...[0, 0.5, 0, 0],
  ...[-0.5, -0.5, -0.5, 1],
);
