/** Requests of the traffic at every exit, as certification takes them. */
import type { Manifest } from '../bundle/manifest.ts';
import type { Engine } from '../engine/engine.ts';
import { median } from '../util/median.ts';
import type { Contribution, Metric } from './metrics.ts';
import type { TracedRequest } from './regret.ts';
import { trace, type Traced } from './trace.ts';
import type { CalibrationTraffic, Traffic } from './traffic.ts';

/** A request with its class of the mix. */
export interface TracedKind extends TracedRequest {
  readonly kind: string;
  /** Distance of the answer at every exit to that at the last one, relative. */
  readonly distance: readonly number[];
}

/** How requests are run and timed. */
export interface TraceTrafficOptions extends Pick<
  CalibrationTraffic,
  'untouched' | 'statistic' | 'repeats'
> {
  /** Requests that are run together and share the time: 1 for the times of a single request. */
  readonly together: number;
  /** Called after every request of every repeat. */
  readonly onRequest?: () => void;
}

/** The first `count` requests, each at every exit; times are medians over the repeats. */
export async function traceTraffic(
  engine: Engine,
  manifest: Manifest,
  traffic: Traffic,
  count: number,
  metric: Metric,
  { untouched, statistic, repeats, together, onRequest }: TraceTrafficOptions,
): Promise<TracedKind[]> {
  const judge = {
    sample: (output: Float32Array, truth: Float32Array): Contribution => [
      metric.request(output, truth),
      1,
    ],
  };
  const traced: TracedKind[] = [];
  for (let from = 0; from < count; from += together) {
    const numbers = Array.from({ length: Math.min(together, count - from) }, (_, k) => from + k);
    const requests = await Promise.all(numbers.map((i) => traffic.draw(i)));
    const runs: Traced[][] = [];
    for (let repeat = 0; repeat < repeats; repeat++)
      runs.push(
        await trace(
          engine,
          manifest,
          requests,
          judge,
          together,
          onRequest && { onSample: onRequest },
        ),
      );
    requests.forEach((request, i) => {
      const { parts, pi, distance, statistic: own } = runs[0]![i]!;
      const known = statistic?.(request) ?? own;
      traced.push({
        kind: request.kind,
        source: request.source,
        quality: parts.map(([value]) => value),
        distance,
        ms: manifest.exits.map((_, exit) => median(runs.map((run) => run[i]!.ms[exit]!))),
        // An exit 0 without a segment has no π, so that no threshold stops there.
        pi: pi.map((value) => (Number.isNaN(value) ? 0 : value)),
        ...(known !== undefined && { statistic: known }),
        ...(untouched && { input: metric.request(untouched(request), request.truth) }),
      });
    });
  }
  return traced;
}
