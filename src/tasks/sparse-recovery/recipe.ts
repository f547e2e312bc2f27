/** Training for sparse recovery: signals that are drawn or one's own, through a given matrix or that of the published experiment. */
import { parse } from 'node:path';
import { writeNpy } from '../../codecs/npy.ts';
import { Random } from '../../data/random.ts';
import { readMatrix, readSignals } from '../../data/signal-files.ts';
import {
  measurementMatrix,
  pickSignals,
  type Matrix,
  type Signals,
} from '../../data/sparse-recovery.ts';
import { freshSignals, ownSignals, type TestData } from '../../evaluation/measure.ts';
import { trainRecovery } from '../../training/run.ts';
import { recoveryDefaults, type RecoveryConfig } from '../../training/sparse-recovery.ts';
import { formOf, heldOutOf, readConfig, slug, type Flags, type Plan } from './plan.ts';

/** The seed of the matrix of the published experiment, where no other matrix is given. */
const MATRIX_SEED = 2020;

export async function recoveryPlan(flags: Flags): Promise<Plan> {
  const form = formOf<RecoveryConfig['form']>(flags, recoveryDefaults, 'vamp');
  const config = await readConfig<RecoveryConfig>(recoveryDefaults[form], flags);
  const matrix =
    flags.matrix === undefined
      ? measurementMatrix(250, 500, new Random(MATRIX_SEED))
      : await readMatrix(flags.matrix);
  const { rows, columns, data } = matrix;
  const own = flags.data === undefined ? undefined : await split(flags, flags.data, matrix, config);
  return {
    task: 'sparse-recovery',
    name:
      flags.name ??
      (flags.matrix === undefined
        ? 'sparse-recovery'
        : slug(`sparse-recovery-${parse(flags.matrix).name}`)),
    description: `Recovers sparse signals of ${columns} numbers from ${rows} measurements.`,
    baseline: form === 'published',
    taskFiles: new Map([['matrix.npy', writeNpy({ shape: [rows, columns], data })]]),
    test: own?.test ?? freshSignals(matrix, config),
    run: (run) => trainRecovery(config, matrix, run, own?.training),
  };
}

/** The signals to learn from, and those to measure on: another file's, or every tenth of the same. */
async function split(
  { validate }: Flags,
  file: string,
  matrix: Matrix,
  { snr }: RecoveryConfig,
): Promise<{ training: Signals; test: TestData }> {
  const signals = await readSignals(file, matrix);
  if (validate !== undefined)
    return {
      training: signals,
      test: ownSignals(matrix, await readSignals(validate, matrix), parse(validate).base, snr),
    };
  const held = heldOutOf(signals.count, 'signal');
  return {
    training: pickSignals(signals, (i) => !held(i)),
    test: ownSignals(matrix, pickSignals(signals, held), `held out of ${parse(file).base}`, snr),
  };
}
