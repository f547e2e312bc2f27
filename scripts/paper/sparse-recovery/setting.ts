/** The setting of the published experiment, and helpers to measure a row of a table. */
import type { Manifest } from '../../../src/bundle/manifest.ts';
import type { Matrix, SignalOptions } from '../../../src/data/sparse-recovery.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import type { Condition } from '../../../src/evaluation/data.ts';
import { recoveryConditions } from '../../../src/tasks/sparse-recovery/test-data.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { qualityAt, trace, type Traced } from '../../../src/evaluation/trace.ts';
import { decibels } from '../numbers.ts';

export const SNRS = [20, 30, 40];
export const SPARSITY = 0.1;
/** Seed of the test signals; training and calibration use others. */
export const SEED = 31_337;
/** Our best model, and coupled LISTA with support selection. */
export const BEST = 'sparse-recovery';
export const COUPLED = 'sparse-recovery-lista';

/** Signals per condition: as published, or a few for a quick run. */
export const countFor = (quick: boolean): number => (quick ? 20 : 1000);

export const testSet = (
  matrix: Matrix,
  count: number,
  signal: Partial<Omit<SignalOptions, 'snr'>> & { readonly snr?: readonly number[] } = {},
): Condition[] =>
  recoveryConditions(matrix, signal.snr ?? SNRS, count, SEED, { sparsity: SPARSITY, ...signal });

/** Runs the samples of each condition to every exit. */
export async function traceAll(
  engine: Engine,
  manifest: Manifest,
  conditions: readonly Condition[],
): Promise<Traced[][]> {
  const traced: Traced[][] = [];
  for (const { cases } of conditions) traced.push(await trace(engine, manifest, cases, nmse));
  return traced;
}

/** NMSE in dB over all conditions, then for each: the columns of the published table. */
export function qualities(
  traced: readonly (readonly Traced[])[],
  pick: (sample: Traced) => number,
): string[] {
  return [traced.flat(), ...traced].map((samples) => decibels(qualityAt(samples, nmse, pick)));
}

/** The same for recovered signals [N,n] of all conditions, concatenated. */
export function qualitiesOf(conditions: readonly Condition[], signals: Float32Array): string[] {
  const n = conditions[0]!.cases[0]!.truth.length;
  let at = 0;
  const parts = conditions.map(({ cases }) =>
    cases.map(({ truth }) => nmse.sample(signals.subarray(n * at, n * ++at), truth)),
  );
  return [parts.flat(), ...parts].map((list) => decibels(nmse.total(list)));
}

/** All measurement vectors, concatenated. */
export function measurementsOf(conditions: readonly Condition[]): Float32Array {
  const all = conditions.flatMap(({ cases }) =>
    cases.map(({ sample }) => sample.measurements!.data),
  );
  const m = all[0]!.length;
  const result = new Float32Array(all.length * m);
  all.forEach((data, i) => result.set(data, i * m));
  return result;
}

/** Mean number of layers run. */
export const meanDepth = (
  traced: readonly (readonly Traced[])[],
  exits: readonly number[],
  pick: (sample: Traced) => number,
): number => {
  const all = traced.flat();
  return all.reduce((sum, sample) => sum + exits[pick(sample)]!, 0) / all.length;
};
