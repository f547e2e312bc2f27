/** Rows of batches: stacks samples into one tensor and takes them out again, copying only where it must. */
import { floats, tensor, type Tensor } from '../../runtime/session.ts';
import { at } from '../../util/at.ts';
import type { Array32 } from '../types.ts';

/** One sample's row of a batched tensor [N,…]. */
export interface Row {
  readonly tensor: Tensor;
  readonly index: number;
}

/** A sample's array as a batch of one. */
export const toRow = ({ data, dims }: Array32): Row => ({
  tensor: tensor(data, [1, ...dims]),
  index: 0,
});

/** The number of a row of [N]. */
export const valueOf = ({ tensor: t, index }: Row): number => at(floats(t), index);

/** Rows of equal shape as one batch; not copied where they are all rows of one tensor, in order. */
export function stack(rows: readonly Row[]): Tensor {
  const { tensor: first } = at(rows, 0);
  const isWhole =
    first.dims[0] === rows.length &&
    rows.every(({ tensor: t, index }, i) => t === first && index === i);
  if (isWhole) return first;
  const dims = first.dims.slice(1);
  const size = dims.reduce((a, b) => a * b, 1);
  const data = new Float32Array(rows.length * size);
  rows.forEach(({ tensor: t, index }, i) =>
    data.set(floats(t).subarray(index * size, (index + 1) * size), i * size),
  );
  return tensor(data, [rows.length, ...dims]);
}

/** A row's values without the batch dimension; shared with the tensor where that has one row, else copied. */
export function fromRow({ tensor: t, index }: Row): Array32 {
  const dims = t.dims.slice(1);
  const size = dims.reduce((a, b) => a * b, 1);
  const data = floats(t);
  return { data: t.dims[0] === 1 ? data : data.slice(index * size, (index + 1) * size), dims };
}
