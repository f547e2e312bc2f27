/** The setting of the published experiment, the same for every part. */
export const SNRS = [20, 30, 40];
export const SPARSITY = 0.1;
/** Seed of the test signals, which no training and no calibration has seen. */
export const SEED = 31_337;
export const BEST = 'sparse-recovery';
