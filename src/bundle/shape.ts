/** Symbolic shapes against the numbers of one sample. Shapes here include the batch; dimensions of samples do not. */

import { at } from '../util/at.ts';

/** The number each symbol stands for. */
export type Binding = Map<string, number>;

/**
 * Matches a sample's dimensions with a port's shape (without its batch dimension), adding what symbols stand for.
 * @throws a sentence where they do not fit
 */
export function bind(
  name: string,
  shape: readonly (number | string)[],
  dims: readonly number[],
  binding: Binding,
): void {
  const misfit = (why: string): never => {
    throw new RangeError(
      `${name} is [${dims.join(', ')}], not [${shape.slice(1).join(', ')}]: ${why}`,
    );
  };
  if (dims.length !== shape.length - 1) misfit(`it needs ${shape.length - 1} dimensions`);
  dims.forEach((size, i) => {
    const dim = at(shape, i + 1);
    if (typeof dim === 'number') {
      if (size !== dim) misfit(`dimension ${i + 1} must be ${dim}`);
      return;
    }
    const { factor, symbol } = parseDimension(dim);
    if (size % factor !== 0) misfit(`dimension ${i + 1} must be a multiple of ${factor}`);
    const value = size / factor;
    const known = binding.get(symbol);
    if (known !== undefined && known !== value)
      misfit(`dimension ${i + 1} does not agree with the others`);
    binding.set(symbol, value);
  });
}

/** `2*h` → factor 2, symbol `h`. */
export function parseDimension(dim: string): { factor: number; symbol: string } {
  const [symbol = dim, factor] = dim.split('*').reverse();
  return { factor: Number(factor ?? 1), symbol };
}

/** What a side must be a multiple of. */
export const multipleOf = (dim: number | string): number =>
  typeof dim === 'number' ? dim : parseDimension(dim).factor;
