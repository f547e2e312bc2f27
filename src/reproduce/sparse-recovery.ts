/** Sparse recovery: the paper's first experiment, and past it. */
import type { Reproduction } from './report.ts';
import { depth } from './sparse-recovery/depth.ts';
import { robustness } from './sparse-recovery/robustness.ts';
import { table } from './sparse-recovery/table.ts';

export const sparseRecovery: Reproduction = { title: 'Sparse recovery', parts: [table, depth, robustness] };
