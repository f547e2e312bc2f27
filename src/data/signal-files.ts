/** Reads measurement matrices and signals from `.npy` files. */
import { access, readFile } from 'node:fs/promises';
import { readNpy } from '../codecs/npy.ts';
import type { Matrix, Signals } from './sparse-recovery.ts';

/** A matrix (m, n). @throws a sentence that names the file and what is wrong with it */
export async function readMatrix(file: string): Promise<Matrix> {
  const { count: rows, length: columns, data } = await readTable(file, 'a matrix', '(m, n)');
  if (data.every((value) => value === 0))
    throw new Error(`${file} is a matrix of zeros: its measurements say nothing of a signal.`);
  return { rows, columns, data };
}

/** Signals (count, n), one for each row, for a matrix of n columns. @throws a sentence that names the file and what is wrong with it */
export async function readSignals(file: string, { columns }: Matrix): Promise<Signals> {
  const shape = `(count, ${columns}), a row of ${columns} numbers for each signal, as many as the matrix has columns`;
  return readTable(file, 'a list of signals', shape, columns);
}

async function readTable(
  file: string,
  what: string,
  expected: string,
  columns?: number,
): Promise<Signals> {
  await access(file).catch((error: unknown) => {
    throw new Error(`There is no file ${file}.`, { cause: error });
  });
  try {
    const { shape, data } = readNpy(await readFile(file));
    const [count = 0, length = 0] = shape;
    if (shape.length !== 2 || count < 1 || length < 1 || length !== (columns ?? length))
      throw new RangeError(
        `its shape is (${shape.join(', ')}), not ${expected}${shape.length === 2 && count === columns ? '; it looks transposed: save its .T' : ''}`,
      );
    if (!data.every(Number.isFinite)) throw new RangeError('it holds numbers that are not finite');
    const single = Float32Array.from(data);
    if (!single.every(Number.isFinite)) throw new RangeError('it holds numbers beyond float32');
    return { count, length, data: single };
  } catch (error) {
    throw new Error(`${file} is not ${what} that can be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
