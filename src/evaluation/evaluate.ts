/** Quality, depth and time of a bundle, measured through the serving engine. */
import type { Manifest, Measurement } from '../bundle/manifest.ts';
import type { Engine } from '../engine/engine.ts';
import type { RunResult } from '../engine/types.ts';
import type { StoppingParameters } from '../stopping/parameters.ts';
import type { Condition } from './data.ts';
import type { Contribution, Metric } from './metrics.ts';

/** Figures of fewer samples have an interval, whatever the metric. */
export const FEW_SAMPLES = 30;

/**
 * One row for each condition, and one over all of them where the metric is a ratio of sums. Every sample is a request of
 * its own, once with the given rule and once at full depth, in turn, so that the two times are comparable.
 * @param onSample called after every sample
 */
export async function evaluate(
  engine: Engine,
  manifest: Manifest,
  conditions: readonly Condition[],
  metric: Metric,
  stopping: StoppingParameters,
  onSample: () => void = () => undefined,
): Promise<Measurement[]> {
  const seen: { label: Condition['label']; adaptive: Figure[]; full: Figure[] }[] = [];
  for (const { label, cases } of conditions) {
    const adaptive: Figure[] = [];
    const full: Figure[] = [];
    for (const { sample, truth } of cases) {
      const run = async (rule: StoppingParameters): Promise<Figure> =>
        figure(await engine.run(manifest.name, [sample], rule), truth, manifest, metric);
      const chosen = await run(stopping);
      adaptive.push(chosen);
      // A path of one exit is the same whatever the rule.
      full.push(
        manifest.exits.length === 1 ? chosen : await run({ rule: 'fixed', depth: manifest.depth }),
      );
      onSample();
    }
    seen.push({ label, adaptive, full });
  }
  // A ratio of sums over all conditions is a figure of its own, not the mean of theirs.
  if (metric.pooling === 'ratio-of-sums' && seen.length > 1) {
    const mixed = Object.fromEntries(Object.keys(seen[0]!.label).map((key) => [key, 'mixed']));
    seen.push({
      label: mixed,
      adaptive: seen.flatMap(({ adaptive }) => adaptive),
      full: seen.flatMap(({ full }) => full),
    });
  }
  return seen.map(({ label, adaptive, full }) => ({
    condition: { ...label },
    metric: metric.name,
    quality: round(metric.total(adaptive.map(({ part }) => part))),
    ...halfWidthOf(adaptive, metric),
    full_depth_quality: round(metric.total(full.map(({ part }) => part))),
    mean_depth: round(mean(adaptive.map(({ depth }) => depth))),
    max_depth: manifest.depth,
    ms_per_sample: round(mean(adaptive.map(({ ms }) => ms))),
    full_depth_ms_per_sample: round(mean(full.map(({ ms }) => ms))),
    n: adaptive.length,
  }));
}

function halfWidthOf(figures: readonly Figure[], metric: Metric): { half_width?: number } {
  if (!metric.interval && figures.length >= FEW_SAMPLES) return {};
  const value = metric.halfWidth(figures.map(({ part }) => part));
  // One sample has none.
  return Number.isFinite(value) ? { half_width: round(value) } : {};
}

interface Figure {
  readonly part: Contribution;
  readonly depth: number;
  readonly ms: number;
}

function figure(
  { samples, timing }: RunResult,
  truth: Float32Array,
  { outputs }: Manifest,
  metric: Metric,
): Figure {
  const { depth, outputs: values } = samples[0]!;
  return {
    part: metric.sample(values[outputs[0]!.name]!.data, truth),
    depth,
    ms: timing.computeMs,
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;
const round = (value: number): number => Number(value.toFixed(3));
