/** Training for sparse recovery: fresh signals through a given matrix, or that of the published experiment. */
import { access, readFile } from 'node:fs/promises';
import { parse } from 'node:path';
import { readNpy, writeNpy } from '../../codecs/npy.ts';
import { Random } from '../../data/random.ts';
import { measurementMatrix, type Matrix } from '../../data/sparse-recovery.ts';
import { freshSignals } from '../../evaluation/measure.ts';
import { trainRecovery } from '../../training/run.ts';
import { recoveryDefaults, type RecoveryConfig } from '../../training/sparse-recovery.ts';
import { formOf, readConfig, slug, type Flags, type Plan } from './plan.ts';

/** The seed of the matrix of the published experiment, where no other matrix is given. */
const MATRIX_SEED = 2020;

export async function recoveryPlan(flags: Flags): Promise<Plan> {
  const form = formOf<RecoveryConfig['form']>(flags, recoveryDefaults, 'vamp');
  const config = await readConfig<RecoveryConfig>(recoveryDefaults[form], flags);
  const matrix = flags.matrix === undefined ? measurementMatrix(250, 500, new Random(MATRIX_SEED)) : await readMatrix(flags.matrix);
  const { rows, columns, data } = matrix;
  return {
    task: 'sparse-recovery',
    name: flags.name ?? (flags.matrix === undefined ? 'sparse-recovery' : slug(`sparse-recovery-${parse(flags.matrix).name}`)),
    description: `Recovers sparse signals of ${columns} numbers from ${rows} measurements.`,
    baseline: form === 'published',
    taskFiles: new Map([['matrix.npy', writeNpy({ shape: [rows, columns], data })]]),
    test: freshSignals(matrix, config),
    run: (run) => trainRecovery(config, matrix, run),
  };
}

async function readMatrix(file: string): Promise<Matrix> {
  await access(file).catch(() => {
    throw new Error(`There is no file ${file}.`);
  });
  try {
    const { shape, data } = readNpy(await readFile(file));
    if (shape.length !== 2 || shape[0]! < 1 || shape[1]! < 1) throw new RangeError(`its shape is (${shape.join(', ')}), not (m, n)`);
    if (!data.every(Number.isFinite)) throw new RangeError('it holds numbers that are not finite');
    return { rows: shape[0]!, columns: shape[1]!, data: Float32Array.from(data) };
  } catch (error) {
    throw new Error(`${file} is not a matrix that can be read: ${(error as Error).message}`, { cause: error });
  }
}
