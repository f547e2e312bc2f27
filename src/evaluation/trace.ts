/** Every case at every exit: quality and depth of any stop rule follow from it without running the rule. */
import type { Manifest } from '../bundle/manifest.ts';
import type { Engine } from '../engine/engine.ts';
import { relativeDistance, squaredSums } from '../stopping/distance.ts';
import type { Case } from './data.ts';
import type { Contribution, Metric } from './metrics.ts';

/** π and quality of one sample at the exits; any stop rule can be replayed on them. */
export interface Judged {
  /** π at every exit but the last. */
  readonly pi: readonly number[];
  /** What the sample adds to the quality at every exit. */
  readonly parts: readonly Contribution[];
}

/** A judged sample with its times. */
export interface Traced extends Judged {
  /** Compute up to every exit, ms; samples of one request share it equally. */
  readonly ms: readonly number[];
  /** Distance of the answer at every exit to that at the last one, relative. */
  readonly distance: readonly number[];
  /** The input statistic, where the model has one. */
  readonly statistic?: number;
}

/** Samples of one request: enough to fill the engine's batches, few enough to hold at every exit in memory. */
const TOGETHER = 64;

/** Which stop signal is recorded, and a callback for progress. */
export interface TraceOptions {
  /** Whose numbers are given as π: the policy's, or the confidence. */
  readonly rule?: 'threshold' | 'confidence';
  /** Called after every case. */
  readonly onSample?: () => void;
}

/**
 * Runs every case at every exit, through the serving engine.
 * @param together samples of one request: 1 for the times of a single request, more for those of full batches
 */
export async function trace(
  engine: Engine,
  manifest: Manifest,
  cases: readonly Case[],
  metric: Pick<Metric, 'sample'>,
  together = TOGETHER,
  { rule = 'threshold', onSample }: TraceOptions = {},
): Promise<Traced[]> {
  const output = manifest.outputs[0]!.name;
  const traced: Traced[] = [];
  for (let from = 0; from < cases.length; from += together) {
    const some = cases.slice(from, from + together);
    const samples = some.map(({ sample }) => sample);
    const parts = some.map(() => [] as Contribution[]);
    const distance = some.map(() => [] as number[]);
    const ms: number[] = [];
    let full: Float32Array[] | undefined;
    // The last exit first: the others are compared with it.
    for (const depth of manifest.exits.toReversed()) {
      const result = await engine.run(manifest.name, samples, { rule: 'fixed', depth });
      const answers = result.samples.map(({ outputs }) => outputs[output]!.data);
      full ??= answers;
      answers.forEach((answer, i) => {
        parts[i]!.unshift(metric.sample(answer, some[i]!.truth));
        distance[i]!.unshift(relativeDistance([squaredSums(answer, full![i]!)]));
      });
      ms.unshift(result.timing.computeMs / some.length);
    }
    // π never exceeds 1, so every exit is evaluated.
    const { samples: asked } = await engine.run(manifest.name, samples, { rule, threshold: 1 });
    parts.forEach((list, i) => {
      const { pi, statistic } = asked[i]!;
      traced.push({
        pi: pi.slice(0, manifest.exits.length - 1),
        parts: list,
        ms,
        distance: distance[i]!,
        ...(statistic !== undefined && { statistic }),
      });
      onSample?.();
    });
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
