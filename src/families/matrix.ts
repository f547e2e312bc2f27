/** Initial values that families compute from a measurement matrix. */
import { CholeskyDecomposition, EigenvalueDecomposition, Matrix as Dense } from 'ml-matrix';

import type { Matrix } from '../util/matrix.ts';

/** A dense row-major matrix, re-exported for the families that are built from one. */
export type { Matrix };

/**
 * The linear minimum-mean-square-error estimator of a white signal, (A Aᵀ + γ I)⁻¹ A as [m,n], each column scaled so
 * that its product with the column of A is one: a unit step, without bias.
 *
 * @param noise γ, the variance of the noise relative to that of the signal
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

/** A = U diag(s) Vᵀ without the null space of A: `left` is U [m,k], `values` s [k], descending, `right` Vᵀ [k,n]. */
export function singularValues({ rows: m, columns: n, data }: Matrix): {
  left: Float32Array;
  values: Float32Array;
  right: Float32Array;
} {
  const a = Dense.from1DArray(m, n, data);
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(
    a.mmul(a.transpose()),
    { assumeSymmetric: true },
  );
  const order = realEigenvalues
    .map((_, i) => i)
    .sort((i, j) => realEigenvalues[j]! - realEigenvalues[i]!);
  const largest = realEigenvalues[order[0]!]!;
  const kept = order.filter((i) => realEigenvalues[i]! > 1e-10 * largest);
  const values = Float32Array.from(kept, (i) => Math.sqrt(realEigenvalues[i]!));
  const u = eigenvectorMatrix.subMatrixColumn(kept);
  const vt = u.transpose().mmul(a);
  values.forEach((value, i) => vt.mulRow(i, 1 / value));
  return {
    left: Float32Array.from(u.to1DArray()),
    values,
    right: Float32Array.from(vt.to1DArray()),
  };
}

/** The transpose of [rows,columns]. */
export function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
}
