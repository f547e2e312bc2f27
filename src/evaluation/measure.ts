/** What a manifest says of a bundle's quality and time: the threshold calibrated on one draw, the rows measured on another. */
import { FLOAT, policiesOf, type Manifest } from '../bundle/manifest.ts';
import { Engine } from '../engine/engine.ts';
import type { EngineOptions } from '../engine/pool.ts';
import { workerEntry } from '../tasks/worker-entry.ts';
import { calibrate } from './calibrate.ts';
import type { Condition, TestData } from './data.ts';
import { evaluate } from './evaluate.ts';
import type { Metric } from './metrics.ts';
import { DEFAULT_MAX_PIXELS } from '../config.ts';

const SEEDS = { calibration: 9_001, measurement: 77_001 };

/** Metric and permitted loss of a measurement. */
export interface MeasureOptions {
  readonly metric: Metric;
  /** The mean quality that the calibrated threshold may give up, in the metric's unit. */
  readonly calibrationLoss: number;
  /** @param share of the work that is done, 0..1 */
  readonly onProgress?: (share: number) => void;
}

/** Measures a written bundle: calibrates its threshold, then measures it on a fresh draw of the data. */
export async function measure(
  manifest: Manifest,
  modelsDir: string,
  data: TestData,
  { metric, calibrationLoss, onProgress = () => undefined }: MeasureOptions,
): Promise<Required<Pick<Manifest, 'threshold' | 'measured'>> & Pick<Manifest, 'thresholds'>> {
  const calibration = data.calibration?.(manifest) ?? data.conditions(manifest, SEEDS.calibration);
  const measurement = data.conditions(manifest, SEEDS.measurement);
  // Calibration runs each case at every exit and once more, for each policy; measurement runs it twice.
  const runs = (manifest.exits.length + 1) * policiesOf(manifest).length;
  const total = runs * countCases(calibration) + 2 * countCases(measurement);
  let done = 0;
  const advance = (by: number) => (): void => onProgress((done += by) / total);
  const engine = await startEngine(modelsDir, [manifest.name]);
  try {
    const { exits, ...thresholds } = await calibrate(engine, manifest, calibration, {
      metric,
      tolerance: calibrationLoss,
      onSample: advance(manifest.exits.length + 1),
    });
    const rule = { rule: 'threshold', threshold: thresholds.threshold } as const;
    const rows = await evaluate(engine, manifest, measurement, metric, rule, advance(2));
    return {
      ...thresholds,
      measured: { data: `${data.name}, seed ${SEEDS.measurement}`, exits, threshold: rows },
    };
  } finally {
    await engine.close();
  }
}

/** Number of cases in all conditions together. */
export const countCases = (conditions: readonly Condition[]): number =>
  conditions.reduce((sum, { cases }) => sum + cases.length, 0);

/** An engine with one worker, so that times are those of a single request; in float on the CPU with one thread by default. */
export function startEngine(
  modelsDir: string,
  only?: readonly string[],
  {
    provider = 'cpu',
    threads = 1,
    variants = FLOAT,
  }: Pick<EngineOptions, 'provider' | 'threads' | 'variants'> = {},
): Promise<Engine> {
  return Engine.start({
    modelsDir,
    ...(only && { only }),
    entry: workerEntry,
    settings: { maxPixels: DEFAULT_MAX_PIXELS },
    provider,
    variants,
    workers: 1,
    threads,
    maxPending: 1e9,
    shed: false,
  });
}
