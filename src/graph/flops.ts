/** Counts floating-point operations by the rules of the operator table. */
import { ancestors } from './gradient.ts';
import { known, type Dim, type Shape, type Value } from './value.ts';

/** Numbers for the symbols of a graph's shapes. */
export type Symbols = Readonly<Record<string, number>>;

/** The floating-point operations that `values` need, without those that `except` need. */
export function countFlops(
  values: readonly Value[],
  except: readonly Value[],
  symbols: Symbols,
): number {
  const size = (shape: Shape): number =>
    shape.reduce<number>((product, dim) => product * resolve(dim, symbols), 1);
  const done = new Set(ancestors(except));
  return ancestors(values)
    .filter((value) => !done.has(value))
    .reduce((sum, value) => sum + value.op.flops(value, size), 0);
}

function resolve(dim: Dim, symbols: Symbols): number {
  if (typeof dim === 'number') return dim;
  const [symbol, factor] = dim.split('*').reverse() as [string, string | undefined];
  return known(symbols[symbol]) * Number(factor ?? 1);
}
