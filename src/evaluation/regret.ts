/** How much worse a rule's answers are than the best that the same requests could have had. */
import type { Metric } from './metrics.ts';

/** One request at every exit. A request is an image, not a tile. */
export interface TracedRequest {
  /** The unit that is independent of the others: the image, signal or few-shot task it was drawn from. */
  readonly source: string;
  /** Quality at every exit: dB (PSNR after 8-bit rounding, at most 50 dB), or percent correct. */
  readonly quality: readonly number[];
  /** The float variant's quality at every exit, where `quality` is another variant's. */
  readonly float?: readonly number[];
  /** Engine time up to every exit, ms. */
  readonly ms: readonly number[];
  /** π at every exit but the last. */
  readonly pi: readonly number[];
  /** Quality of the input itself. */
  readonly input?: number;
  /** What is known before the first layer, such as the noise level. */
  readonly statistic?: number;
}

/** What a request got from a rule. */
export interface Outcome {
  /** dB or percent correct, as in {@link TracedRequest}. */
  readonly quality: number;
  readonly ms: number;
  /** Layers run; the mean over the tiles of an image. */
  readonly depth: number;
}

/** Only the direction of a metric matters here. */
export type Direction = Pick<Metric, 'loss'>;

/** A loss below this counts as no harm, dB. */
const HARMLESS_DB = 0.05;

/** Quality of the best float exit. */
export const bestQuality = (
  { quality, float = quality }: TracedRequest,
  { loss }: Direction,
): number => float.reduce((best, value) => (loss(best, value) < 0 ? value : best));

/** How much worse than the best float exit, ≥ 0, in the metric's unit; NaN where the quality is. */
export function regret(request: TracedRequest, quality: number, metric: Direction): number {
  const best = bestQuality(request, metric);
  return best === quality ? 0 : Math.max(0, metric.loss(best, quality));
}

/** Share of the requests that are worse than their input by more than 0.05 dB. @throws Error where an input's quality is missing */
export function harmShare(
  requests: readonly TracedRequest[],
  outcomes: readonly Outcome[],
  { loss }: Direction,
): number {
  const harmed = requests.filter(({ source, input }, i) => {
    if (input === undefined) throw new Error(`the quality of the input is missing: ${source}`);
    return !(loss(input, outcomes[i]!.quality) <= HARMLESS_DB);
  });
  return harmed.length / requests.length;
}

/** What a tolerance means for a task: a loss in [0,1] of every request, and the mean loss that may not be reached. */
export interface Criterion {
  /** In the metric's unit. */
  readonly tolerance: number;
  /** A rule is safe when its expected loss is below. */
  readonly limit: number;
  /** Whether losses are 0 or 1, so that independent ones have an exact test. */
  readonly binary: boolean;
  loss(request: TracedRequest, quality: number): number;
  /** Whether this answer alone is good enough; the oracle takes the cheapest such exit. */
  accepts(request: TracedRequest, quality: number): boolean;
  /** A mean loss, or a bound of one, as tables show it: larger is better. */
  figure(meanLoss: number): number;
  /** The single exit that rules are compared with, counted from 0. */
  readonly referenceExit?: number;
}

/** Share of requests that may exceed the tolerance. */
const UNSAFE_SHARE = 0.05;

/** At least 95 % of the requests have a regret of at most `tolerance` dB. Figure: the share that has. */
export function regretCriterion(tolerance: number, metric: Direction): Criterion {
  const accepts = (request: TracedRequest, quality: number): boolean =>
    regret(request, quality, metric) <= tolerance;
  return {
    tolerance,
    limit: UNSAFE_SHARE,
    binary: true,
    accepts,
    // NaN is a failure.
    loss: (request, quality) => (accepts(request, quality) ? 0 : 1),
    figure: (meanLoss) => 1 - meanLoss,
  };
}

/**
 * Mean accuracy is at most `tolerance` points below that of the best single exit, which `selection` chooses.
 * Figure: mean accuracy − that of the exit, points. Differences in [−1,1], paired by request, are moved to [0,1].
 */
export function accuracyCriterion(
  tolerance: number,
  selection: readonly TracedRequest[],
): Criterion {
  const referenceExit = bestExit(selection);
  const behind = ({ quality: own, float = own }: TracedRequest, quality: number): number =>
    (float[referenceExit]! - quality) / 100;
  return {
    tolerance,
    limit: (1 + tolerance / 100) / 2,
    binary: false,
    referenceExit,
    accepts: (request, quality) => behind(request, quality) <= 0,
    loss(request, quality) {
      const points = behind(request, quality);
      return points <= 1 ? (1 + points) / 2 : 1; // NaN is the greatest loss.
    },
    figure: (meanLoss) => 100 * (1 - 2 * meanLoss),
  };
}

/** The exit of the greatest mean accuracy; the first of several. */
function bestExit(requests: readonly TracedRequest[]): number {
  const exits = requests[0]!.quality.length;
  const totals = Array.from({ length: exits }, (_, exit) =>
    requests.reduce((sum, { quality, float = quality }) => sum + float[exit]!, 0),
  );
  return totals.indexOf(Math.max(...totals));
}
