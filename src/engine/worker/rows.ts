/** Rows of batches: samples are stacked into one tensor, and taken out of it again, with as few copies as can be. */
import { floats, tensor, type Tensor } from '../../runtime/session.ts';
import type { Array32 } from '../types.ts';

/** One sample's part of a batched tensor. */
export interface Row {
  readonly tensor: Tensor;
  readonly index: number;
}

/** A sample's array as a batch of one. */
export const toRow = ({ data, dims }: Array32): Row => ({
  tensor: tensor(data, [1, ...dims]),
  index: 0,
});

/** Rows of equal shape as one batch; no copy where they are all the rows of one tensor, in order. */
export function stack(rows: readonly Row[]): Tensor {
  const { tensor: first } = rows[0]!;
  if (
    first.dims[0] === rows.length &&
    rows.every(({ tensor: t, index }, i) => t === first && index === i)
  )
    return first;
  const dims = first.dims.slice(1);
  const size = dims.reduce((a, b) => a * b, 1);
  const data = new Float32Array(rows.length * size);
  rows.forEach(({ tensor: t, index }, i) =>
    data.set(floats(t).subarray(index * size, (index + 1) * size), i * size),
  );
  return tensor(data, [rows.length, ...dims]);
}

/** A row's values as an array of its own. */
export function fromRow({ tensor: t, index }: Row): Array32 {
  const dims = t.dims.slice(1);
  const size = dims.reduce((a, b) => a * b, 1);
  const data = floats(t);
  return { data: t.dims[0] === 1 ? data : data.slice(index * size, (index + 1) * size), dims };
}
