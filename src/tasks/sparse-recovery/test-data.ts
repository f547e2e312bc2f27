/** Signals with fresh noise, to measure recovery on. */
import { Random } from '../../data/random.ts';
import {
  SignalSampler,
  type Matrix,
  type SignalOptions,
  type Signals,
} from '../../data/sparse-recovery.ts';
import type { Condition, TestData } from '../../evaluation/data.ts';

/** Signals of each signal-to-noise ratio that a bundle is measured on after training. */
const COUNT = 300;

/** Random signals of a given sparsity. */
export const freshSignals = (
  matrix: Matrix,
  { sparsity, snr }: { readonly sparsity: number; readonly snr: readonly number[] },
  count = COUNT,
): TestData => ({
  name: 'fresh signals',
  conditions: (_, seed) => recoveryConditions(matrix, snr, count, seed, { sparsity }),
});

/** Given signals, drawn with replacement, with fresh noise. @param snrs signal-to-noise ratios, dB */
export const ownSignals = (
  matrix: Matrix,
  signals: Signals,
  name: string,
  snrs: readonly number[],
  count = COUNT,
): TestData => ({
  name: `${signals.count} signals, ${name}`,
  conditions: (_, seed) => recoveryConditions(matrix, snrs, count, seed, { sparsity: 1, signals }),
});

/** `count` signals at each signal-to-noise ratio, dB. */
export function recoveryConditions(
  matrix: Matrix,
  snrs: readonly number[],
  count: number,
  seed: number,
  signal: Omit<SignalOptions, 'snr'>,
): Condition[] {
  return snrs.map((snr) => {
    const sampler = new SignalSampler(matrix, new Random(seed + Math.round(1000 * snr)), count, {
      ...signal,
      snr: [snr],
    });
    const { measurements, signals } = sampler.next();
    const { rows, columns } = matrix;
    const cases = Array.from({ length: count }, (_, i) => ({
      sample: {
        measurements: { data: measurements.slice(i * rows, (i + 1) * rows), dims: [rows] },
      },
      truth: signals.slice(i * columns, (i + 1) * columns),
    }));
    return { label: { snr_db: snr }, cases };
  });
}
