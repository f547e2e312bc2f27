/** Sparse recovery: the paper's first experiment, and past it. */
import type { Reproduction } from './report.ts';
import { depth } from './sparse-recovery/depth.ts';

export const sparseRecovery: Reproduction = { title: 'Sparse recovery', parts: [depth] };
