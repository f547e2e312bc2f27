/** The outputs of a graph for many samples, computed once: for a small stage on samples that are expensive to compute. */
import type { Random } from '../data/random.ts';
import type { Values } from '../families/family.ts';
import { toModel } from '../graph/model.ts';
import { floats, Session, tensor, type Tensors } from '../runtime/session.ts';
import type { RunOn } from './stage-run.ts';
import { toConstants, type Weights } from './weights.ts';

/** Columns by name, with one row for each sample. */
export type Table = ReadonlyMap<string, readonly Float32Array[]>;

/**
 * @param outputs the columns; the result of a sample, of any shape, is one row
 * @param next the inputs of the next sample
 * @param onProgress takes the share of the samples that is done, 0..1
 */
export async function tabulate(
  outputs: Values,
  weights: Weights,
  {
    count,
    runOn,
    next,
    onProgress,
  }: { count: number; runOn: RunOn; next: () => Tensors; onProgress: (share: number) => void },
): Promise<Table> {
  const known = toConstants(weights);
  const session = await Session.load(toModel({ outputs, weights: known }), runOn);
  const table = new Map(Object.keys(outputs).map((name) => [name, [] as Float32Array[]]));
  try {
    for (let i = 0; i < count; i++) {
      const sample = next();
      const found = await session.run(session.pick(sample));
      for (const [name, rows] of table) rows.push(floats(found[name]!).slice());
      onProgress((i + 1) / count);
    }
  } finally {
    await session.release();
  }
  return table;
}

/** `count` rows drawn with replacement, the same rows of every column: [count,width] by name. */
export function drawRows(table: Table, count: number, random: Random): Tensors {
  const samples = [...table.values()][0]!.length;
  const chosen = Array.from({ length: count }, () => random.integer(samples));
  return Object.fromEntries(
    [...table].map(([name, rows]) => {
      const width = rows[0]!.length;
      const data = new Float32Array(count * width);
      chosen.forEach((which, i) => data.set(rows[which]!, i * width));
      return [name, tensor(data, [count, width])];
    }),
  );
}
