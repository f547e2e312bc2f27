import { square } from '../graph/functions.ts';
import { add, div, matmul, mul, reduceSum, reshape, sqrt, transpose } from '../graph/operators.ts';
import { known, type Value } from '../graph/value.ts';

/** The quintic of Muon: a few rounds bring singular values in (0,1] to between 0.7 and 1.2, the smallest ones last. */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const ROUNDS = 3;

/**
 * A kernel's direction [K,C,k,k] with all singular values of its matrix [K,C·k·k] brought near one (Newton–Schulz, as in Jordan
 * 2024), and longer where the matrix is tall: every filter moves about as far.
 */
export function orthogonalised(kernel: Value): Value {
  const [filters, ...others] = kernel.shape.map(known) as [number, ...number[]];
  const inputs = others.reduce((a, b) => a * b, 1);
  const tall = filters > inputs;
  const matrix = reshape(kernel, [filters, inputs]);
  let x = tall ? transpose(matrix, [1, 0]) : matrix;
  x = div(x, add(sqrt(reduceSum(square(x))), 1e-7));
  for (let i = 0; i < ROUNDS; i++) {
    const gram = matmul(x, transpose(x, [1, 0]));
    x = add(mul(x, A), matmul(add(mul(gram, B), mul(matmul(gram, gram), C)), x));
  }
  const direction = tall ? mul(transpose(x, [1, 0]), Math.sqrt(filters / inputs)) : x;
  return reshape(direction, kernel.shape);
}
