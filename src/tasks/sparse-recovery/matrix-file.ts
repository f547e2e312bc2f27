/** The measurement matrix of a bundle: the task file `matrix.npy`, shape (m, n). */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../bundle/manifest.ts';
import { readNpy, writeNpy } from '../../codecs/npy.ts';
import type { Matrix } from '../../data/sparse-recovery.ts';

const MATRIX = 'matrix.npy';

/**
 * Reads a bundle's measurement matrix, [m,n].
 * @throws Error where the file is missing, RangeError where it is not a readable `.npy`
 */
export async function matrixOf(
  { name }: Pick<Manifest, 'name'>,
  modelsDir: string,
): Promise<Matrix> {
  const { shape, data } = readNpy(await readFile(join(modelsDir, name, MATRIX)));
  return { rows: shape[0]!, columns: shape[1]!, data: Float32Array.from(data) };
}

/** The task files of a bundle for this matrix. */
export const matrixFiles = ({ rows, columns, data }: Matrix): ReadonlyMap<string, Uint8Array> =>
  new Map([[MATRIX, writeNpy({ shape: [rows, columns], data })]]);
