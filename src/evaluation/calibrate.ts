/** Calibration: the threshold of least compute whose quality stays within a bound of full depth, on held-out data. */
import { policiesOf, type Manifest } from '../bundle/manifest.ts';
import type { Engine } from '../engine/engine.ts';
import type { Condition } from './data.ts';
import type { Metric } from './metrics.ts';
import { exitAt, qualityAt, trace, type Judged, type Traced, type TraceOptions } from './trace.ts';
import { median } from '../util/median.ts';

/** Result of a calibration: thresholds of π, and quality (metric's unit) and time (ms) of every exit. */
export interface Calibration {
  readonly threshold: number;
  /** Thresholds of the model's other policies, by name. */
  readonly thresholds?: Readonly<Record<string, number>>;
  /** Quality and time when every sample stops at one exit. */
  readonly exits: {
    readonly depth: number;
    readonly quality: number;
    readonly ms_per_sample: number;
  }[];
}

/** Metric and bound of a calibration. */
export interface CalibrateOptions {
  readonly metric: Metric;
  /**
   * The quality that may be given up in the mean over the conditions, in the metric's unit; no single condition may give
   * up more than twice as much.
   */
  readonly tolerance: number;
  /** Called after every case of every policy. */
  readonly onSample?: () => void;
}

/** Calibrates the threshold of each policy on `conditions`, and measures every exit on them. */
export async function calibrate(
  engine: Engine,
  manifest: Manifest,
  conditions: readonly Condition[],
  { metric, tolerance, onSample }: CalibrateOptions,
): Promise<Calibration> {
  const traced = (rule: 'threshold' | 'confidence'): Promise<Traced[][]> =>
    traceAll(engine, manifest, conditions, metric, {
      rule,
      ...(onSample && { onSample }),
    });
  const byPolicy = await traced('threshold');
  const ms = manifest.exits.map((_, i) => median(byPolicy.flat().map((sample) => sample.ms[i]!)));
  const thresholds = policiesOf(manifest).includes('confidence')
    ? { confidence: cheapestThreshold(await traced('confidence'), ms, metric, tolerance) }
    : undefined;
  return {
    threshold: cheapestThreshold(byPolicy, ms, metric, tolerance),
    ...(thresholds && { thresholds }),
    exits: manifest.exits.map((depth, i) => ({
      depth,
      quality: Number(mean(byPolicy.map((list) => qualityAt(list, metric, () => i))).toFixed(3)),
      ms_per_sample: Number(ms[i]!.toFixed(3)),
    })),
  };
}

/** One case after another, so that times are those of a single request. */
async function traceAll(
  engine: Engine,
  manifest: Manifest,
  conditions: readonly Condition[],
  metric: Metric,
  options: TraceOptions,
): Promise<Traced[][]> {
  const traced: Traced[][] = [];
  for (const { cases } of conditions)
    traced.push(await trace(engine, manifest, cases, metric, 1, options));
  return traced;
}

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/**
 * The threshold of least cost that keeps within `tolerance` of full depth, as {@link CalibrateOptions} says; 1 where
 * none does.
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
    const fits = mean(losses) <= tolerance && losses.every((loss) => loss <= 2 * tolerance);
    const cost = traced.flat().reduce((sum, sample) => sum + costs[stopAt(sample)]!, 0);
    if (fits && cost < best.cost) best = { threshold, cost };
  }
  return best.threshold;
}
