/** Orthogonal matching pursuit (Pati, Rezaiifar & Krishnaprasad 1993), told how strong the noise is. */
import type { Matrix } from '../../../src/families/matrix.ts';

/**
 * Adds the column that fits the residual best, and projects onto all chosen ones, until the residual has no more energy
 * than the noise: b [m] → x [n].
 * @param noise its variance
 */
export function omp(matrix: Matrix, norms: Float64Array, b: Float32Array, noise: number) {
  const { rows: m, columns: n, data } = matrix;
  const residual = Float64Array.from(b);
  const chosen: number[] = [];
  const basis: Float64Array[] = [];
  /** Column k of R, with A_S = Q R, by modified Gram–Schmidt. */
  const triangle: number[][] = [];
  const along: number[] = [];
  const energy = (x: Float64Array): number => x.reduce((sum, value) => sum + value * value, 0);
  while (chosen.length < m && energy(residual) > m * noise) {
    const j = bestColumn(matrix, norms, residual, chosen);
    if (j < 0) break;
    const column = Float64Array.from({ length: m }, (_, i) => data[i * n + j]!);
    const before = Math.sqrt(energy(column));
    const r = basis.map((q) => project(column, q));
    const length = Math.sqrt(energy(column));
    if (length < 1e-6 * before) break;
    column.forEach((value, i) => (column[i] = value / length));
    basis.push(column);
    triangle.push([...r, length]);
    chosen.push(j);
    along.push(project(residual, column));
  }
  const x = new Float32Array(n);
  const found = new Array<number>(chosen.length).fill(0);
  for (let k = chosen.length - 1; k >= 0; k--) {
    let value = along[k]!;
    for (let l = k + 1; l < chosen.length; l++) value -= triangle[l]![k]! * found[l]!;
    found[k] = value / triangle[k]![k]!;
    x[chosen[k]!] = found[k]!;
  }
  return x;
}

/** Takes the part of `x` along the unit vector `q` out of it. @returns its length */
function project(x: Float64Array, q: Float64Array): number {
  let length = 0;
  for (let i = 0; i < q.length; i++) length += x[i]! * q[i]!;
  for (let i = 0; i < q.length; i++) x[i]! -= length * q[i]!;
  return length;
}

/** The column of greatest correlation; −1 where all are chosen or zero. */
function bestColumn(
  { rows, columns, data }: Matrix,
  norms: Float64Array,
  residual: Float64Array,
  chosen: readonly number[],
): number {
  const products = new Float64Array(columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) products[j]! += residual[i]! * data[i * columns + j]!;
  for (const j of chosen) products[j] = 0;
  let [best, most] = [-1, 0];
  for (let j = 0; j < columns; j++) {
    const size = norms[j]! > 0 ? Math.abs(products[j]!) / norms[j]! : 0;
    if (size > most) [best, most] = [j, size];
  }
  return best;
}

/** The norms of the columns, [n]. */
export function columnNorms({ columns, data }: Matrix): Float64Array {
  const squares = new Float64Array(columns);
  data.forEach((value, i) => (squares[i % columns]! += value * value));
  return squares.map(Math.sqrt);
}
