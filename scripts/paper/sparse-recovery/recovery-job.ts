import type { Matrix } from '../../../src/data/sparse-recovery.ts';
import { sparseRecovery } from '../../../src/tasks/learning.ts';
import { matrixFiles } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { train } from '../../../src/training/train.ts';
import type { RecoveryConfig } from '../../../src/tasks/sparse-recovery/config.ts';
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
  train: (options) => train(sparseRecovery, config, { matrix }, options),
  files: matrixFiles(matrix),
});
