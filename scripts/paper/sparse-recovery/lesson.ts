import { writeNpy } from '../../../src/codecs/npy.ts';
import type { Matrix } from '../../../src/data/sparse-recovery.ts';
import { trainRecovery } from '../../../src/training/run.ts';
import type { RecoveryConfig } from '../../../src/training/sparse-recovery.ts';
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
  train: (options) => trainRecovery(config, matrix, options),
  files: new Map([
    ['matrix.npy', writeNpy({ shape: [matrix.rows, matrix.columns], data: matrix.data })],
  ]),
});
