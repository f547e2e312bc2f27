/** What every exit would have given: from it follow quality and depth of any rule, without running it. */
import type { Manifest } from '../bundle/manifest.ts';
import type { Engine } from '../engine/engine.ts';
import type { Case } from './data.ts';
import type { Metric } from './quality.ts';

export interface Judged {
  /** π at every exit but the last. */
  readonly pi: readonly number[];
  /** What the sample adds to the quality at every exit. */
  readonly parts: readonly (readonly [number, number])[];
}

export interface Traced extends Judged {
  /** Compute up to every exit, ms; samples of one request share it equally. */
  readonly ms: readonly number[];
}

/** Samples of one request: as many as make the engine's batches full, few enough to be in memory at every exit. */
const TOGETHER = 64;

/**
 * Every case at every exit, through the engine that serves.
 * @param together samples of one request: 1 for the times of a caller alone, more for those of full batches
 * @param rule whose numbers are given as π: the policy's, or the confidence
 */
export async function trace(
  engine: Engine,
  manifest: Manifest,
  cases: readonly Case[],
  metric: Metric,
  together = TOGETHER,
  rule: 'threshold' | 'confidence' = 'threshold',
): Promise<Traced[]> {
  const output = manifest.outputs[0]!.name;
  const traced: Traced[] = [];
  for (let from = 0; from < cases.length; from += together) {
    const some = cases.slice(from, from + together);
    const samples = some.map(({ sample }) => sample);
    const parts = some.map(() => [] as (readonly [number, number])[]);
    const ms: number[] = [];
    for (const depth of manifest.exits) {
      const result = await engine.run(manifest.name, samples, { rule: 'fixed', depth });
      result.samples.forEach(({ outputs }, i) =>
        parts[i]!.push(metric.sample(outputs[output]!.data, some[i]!.truth)),
      );
      ms.push(result.timing.computeMs / some.length);
    }
    // No number passes a threshold of 1: every exit is asked.
    const { samples: asked } = await engine.run(manifest.name, samples, { rule, threshold: 1 });
    const pi = asked.map((sample) => sample.pi);
    parts.forEach((list, i) =>
      traced.push({ pi: pi[i]!.slice(0, manifest.exits.length - 1), parts: list, ms }),
    );
  }
  return traced;
}

/** The exit, from 0, at which a sample leaves under one threshold for all exits. */
export function exitAt({ pi, parts }: Judged, threshold: number): number {
  const at = pi.findIndex((value) => value > threshold);
  return at < 0 ? parts.length - 1 : at;
}

/** The quality when every sample leaves at the exit that is picked for it. */
export const qualityAt = <T extends Judged>(
  traced: readonly T[],
  metric: Metric,
  pick: (sample: T) => number,
): number => metric.total(traced.map((sample) => sample.parts[pick(sample)]!));
