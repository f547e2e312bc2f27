import { ancestors } from './gradient.ts';
import { known, type Dim, type Value } from './value.ts';

/** Numbers for the symbols of a graph's shapes. */
export type Symbols = Readonly<Record<string, number>>;

/** Operators that only move data. */
const free = new Set([
  'Input',
  'Scalar',
  'StopGradient',
  'Reshape',
  'Transpose',
  'Expand',
  'Concat',
  'Slice',
  'Pad',
  'Flip',
  'SpaceToDepth',
  'DepthToSpace',
  'Cast',
]);

/**
 * Floating-point operations of everything that `values` need and `except` do not: two for each multiply-add of a
 * product or convolution, one for each element that any other operator reads or writes, whichever are more.
 */
export function countFlops(
  values: readonly Value[],
  except: readonly Value[],
  symbols: Symbols,
): number {
  const done = new Set(ancestors(except));
  return ancestors(values)
    .filter((value) => !done.has(value))
    .reduce((sum, value) => sum + flopsOf(value, symbols), 0);
}

function flopsOf({ op, inputs, shape }: Value, symbols: Symbols): number {
  const size = (dims: readonly Dim[]) =>
    dims.reduce<number>((product, dim) => product * resolve(dim, symbols), 1);
  if (free.has(op.name)) return 0;
  if (op.name === 'MatMul') return 2 * size(shape) * resolve(inputs[0]!.shape.at(-1)!, symbols);
  if (op.name === 'ConvWeightGradient') return 2 * size(shape.slice(1)) * size(inputs[1]!.shape);
  if (op.name === 'Conv') return 2 * size(shape) * size(inputs[1]!.shape.slice(1));
  return Math.max(size(shape), ...inputs.map((input) => size(input.shape)));
}

function resolve(dim: Dim, symbols: Symbols): number {
  if (typeof dim === 'number') return dim;
  const [symbol, factor] = dim.split('*').reverse() as [string, string | undefined];
  return known(symbols[symbol]) * Number(factor ?? 1);
}
