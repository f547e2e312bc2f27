import { CholeskyDecomposition, Matrix as Dense } from 'ml-matrix';

/** A measurement matrix [m,n], row after row. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/**
 * The linear minimum-mean-square-error estimator of a white signal, (A Aᵀ + γ I)⁻¹ A as [m,n], each column scaled so
 * that its product with the column of A is one: a step along it neither over- nor undershoots.
 *
 * @param noise γ, the noise's variance beside the signal's
 */
export function linearMmse({ rows: m, columns: n, data }: Matrix, noise: number): Float32Array {
  const a = Dense.from1DArray(m, n, data);
  const gram = a.mmul(a.transpose());
  for (let i = 0; i < m; i++) gram.set(i, i, gram.get(i, i) + noise);
  const w = new CholeskyDecomposition(gram).solve(a);
  const result = new Float32Array(m * n);
  for (let j = 0; j < n; j++) {
    let product = 0;
    for (let i = 0; i < m; i++) product += w.get(i, j) * a.get(i, j);
    for (let i = 0; i < m; i++) result[i * n + j] = w.get(i, j) / product;
  }
  return result;
}
