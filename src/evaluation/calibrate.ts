/** The calibrated threshold: the least compute for which quality stays within a bound of full depth, on data not trained on. */
import { policiesOf, type Manifest } from '../bundle/manifest.ts';
import type { Engine } from '../engine/engine.ts';
import type { Condition } from './data.ts';
import { metricFor } from './evaluate.ts';
import type { Metric } from './quality.ts';
import { exitAt, qualityAt, trace, type Judged, type Traced } from './trace.ts';
import { median } from '../util/median.ts';

export interface Calibration {
  readonly threshold: number;
  /** Of what else the model gives to compare, by name. */
  readonly thresholds?: Readonly<Record<string, number>>;
  /** Quality and time when every sample stops at one exit. */
  readonly exits: {
    readonly depth: number;
    readonly quality: number;
    readonly ms_per_sample: number;
  }[];
}

/**
 * @param tolerance the quality that may be given up in the mean over the conditions, dB; no single condition may give up
 *   more than twice as much
 */
export async function calibrate(
  engine: Engine,
  manifest: Manifest,
  conditions: readonly Condition[],
  tolerance: number,
): Promise<Calibration> {
  const metric = metricFor(manifest.task);
  const traced: Traced[][] = [];
  const certain: Traced[][] = [];
  for (const { cases } of conditions) {
    traced.push(await trace(engine, manifest, cases, metric, 1));
    if (policiesOf(manifest).includes('confidence'))
      certain.push(await trace(engine, manifest, cases, metric, 1, 'confidence'));
  }
  const ms = manifest.exits.map((_, i) => median(traced.flat().map((sample) => sample.ms[i]!)));
  const mean = (values: readonly number[]): number =>
    values.reduce((a, b) => a + b, 0) / values.length;
  return {
    threshold: cheapestThreshold(traced, ms, metric, tolerance),
    ...(certain.length > 0 && {
      thresholds: { confidence: cheapestThreshold(certain, ms, metric, tolerance) },
    }),
    exits: manifest.exits.map((depth, i) => ({
      depth,
      quality: Number(mean(traced.map((list) => qualityAt(list, metric, () => i))).toFixed(3)),
      ms_per_sample: Number(ms[i]!.toFixed(3)),
    })),
  };
}

/**
 * The threshold of least cost that keeps within `tolerance` of full depth, as above.
 * @param traced the samples of each condition
 * @param costs of stopping at each exit
 */
export function cheapestThreshold(
  traced: readonly (readonly Judged[])[],
  costs: readonly number[],
  metric: Metric,
  tolerance: number,
): number {
  const quality = (pick: (sample: Judged) => number): number[] =>
    traced.map((list) => qualityAt(list, metric, pick));
  const full = quality(() => costs.length - 1);
  let best = { threshold: 1, cost: Number.POSITIVE_INFINITY };
  for (let step = 1; step < 200; step++) {
    const threshold = step / 200;
    const stopAt = (sample: Judged): number => exitAt(sample, threshold);
    const losses = quality(stopAt).map((value, i) => metric.loss(full[i]!, value));
    const fits =
      losses.reduce((a, b) => a + b, 0) / losses.length <= tolerance &&
      losses.every((loss) => loss <= 2 * tolerance);
    const cost = traced.flat().reduce((sum, sample) => sum + costs[stopAt(sample)]!, 0);
    if (fits && cost < best.cost) best = { threshold, cost };
  }
  return best.threshold;
}
