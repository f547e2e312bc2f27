/** Samples for a finished network, from files: its inputs, and what its first output should be. */
import { Random } from '../data/random.ts';
import { readRows, type Rows } from '../data/tensor-files.ts';

/** Inputs by name [n,…] and the target: classes [n], or values [n,…]. */
export interface Samples {
  readonly inputs: ReadonlyMap<string, Rows>;
  readonly target: Rows;
}

/** @param args NAME=FILE.npy, one of them named target @throws a sentence that names the argument or the file */
export async function readSamples(args: readonly string[]): Promise<Samples> {
  const inputs = await readRows(args);
  const target = inputs.get('target');
  if (!target) throw new Error('--data lacks the target: --data target=FILE.npy.');
  return { inputs, target };
}

const HELD_OUT = 0.2;
/** Fewer samples teach nothing. */
const LEAST = 50;

/** The rows to train on and those that are held out. @throws Error where there are too few */
export function splitSamples(
  { target }: Samples,
  seed: number,
): { readonly train: readonly number[]; readonly held: readonly number[] } {
  const [count = 0] = target.shape;
  if (count < LEAST) throw new Error(`${count} samples are too few; ${LEAST} are the least.`);
  const random = new Random(seed);
  const order = Array.from({ length: count }, (_, i) => ({ i, key: random.uniform() }))
    .sort((a, b) => a.key - b.key)
    .map(({ i }) => i);
  const held = Math.round(count * HELD_OUT);
  return { train: order.slice(held), held: order.slice(0, held) };
}
