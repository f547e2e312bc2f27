import { writeNpy } from '../../../src/codecs/npy.ts';
import type { Matrix } from '../../../src/data/sparse-recovery.ts';
import { trainRecovery } from '../../../src/training/run.ts';
import type { RecoveryConfig } from '../../../src/training/sparse-recovery.ts';
import type { TrainingJob } from '../training-jobs.ts';

/** A training job for recovery through `matrix`. */
export const recoveryJob = ({
  config,
  matrix,
  ...rest
}: Pick<TrainingJob, 'name' | 'from'> & {
  readonly config: RecoveryConfig;
  readonly matrix: Matrix;
}): TrainingJob => ({
  ...rest,
  task: 'sparse-recovery',
  train: (options) => trainRecovery(config, matrix, options),
  files: new Map([
    ['matrix.npy', writeNpy({ shape: [matrix.rows, matrix.columns], data: matrix.data })],
  ]),
});
