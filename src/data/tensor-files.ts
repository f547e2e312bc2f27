/** Reads the inputs and targets of any network from `.npy` files. */
import { readFile } from 'node:fs/promises';
import { readNpy } from '../codecs/npy.ts';
import { messageOf } from '../util/message-of.ts';

/** One row for each sample: [n,…], n first. */
export interface Rows {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Arrays by name, from arguments NAME=FILE.npy; all have as many rows.
 * @throws a sentence that names the argument or the file
 */
export async function readRows(args: readonly string[]): Promise<Map<string, Rows>> {
  const all = new Map<string, Rows>();
  for (const arg of args) {
    const [, name, file] = /^([^=]+)=(.+)$/.exec(arg) ?? [];
    if (name === undefined || file === undefined)
      throw new Error(`--data ${arg} must be NAME=FILE.npy, such as image=images.npy.`);
    const { shape, data } = await readFile(file)
      .then(readNpy)
      .catch((error: unknown) => {
        throw new Error(`${file} cannot be read: ${messageOf(error)}`, { cause: error });
      });
    if (shape.length === 0) throw new Error(`${file} is a single number, not rows of samples.`);
    if (!data.every(Number.isFinite)) throw new Error(`${file} holds numbers that are not finite.`);
    all.set(name, { shape, data: Float32Array.from(data) });
  }
  const counts = [...all].map(([name, { shape }]) => `${name} has ${shape[0]}`);
  if (new Set([...all.values()].map(({ shape }) => shape[0])).size > 1)
    throw new Error(`The arrays must have one row for each sample: ${counts.join(', ')}.`);
  return all;
}

/** Some rows, in this order. */
export function pickRows({ shape, data }: Rows, rows: readonly number[]): Rows {
  const size = data.length / (shape[0] ?? 1);
  const picked = new Float32Array(rows.length * size);
  rows.forEach((row, i) => picked.set(data.subarray(row * size, (row + 1) * size), i * size));
  return { shape: [rows.length, ...shape.slice(1)], data: picked };
}
