import type { Matrix } from '../../../src/data/sparse-recovery.ts';
import { sparseRecovery } from '../../../src/tasks/learning.ts';
import { matrixFiles } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { train } from '../../../src/training/train.ts';
import type { RecoveryConfig } from '../../../src/tasks/sparse-recovery/config.ts';
import type { Lesson } from '../learn.ts';

/** A network that learns to recover signals through a matrix. */
export const recoveryLesson = ({
  config,
  matrix,
  ...rest
}: Pick<Lesson, 'name' | 'from'> & {
  readonly config: RecoveryConfig;
  readonly matrix: Matrix;
}): Lesson => ({
  ...rest,
  task: 'sparse-recovery',
  train: (options) => train(sparseRecovery, config, { matrix }, options),
  files: matrixFiles(matrix),
});
