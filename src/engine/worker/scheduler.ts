/** Decides what runs next: a pure function of the queues and the clock. */
import { at } from '../../util/at.ts';

/** A sample that waits for a segment. */
export interface Waiting {
  /** Compute that its request has had, ms; samples that ran in one batch share its time. */
  readonly attained: number;
  /** When its request last ran, or arrived: a time of `clock()`. */
  readonly since: number;
}

/** Samples that wait for the same segment with the same shapes, so that they can share a batch. */
export interface Queue<W extends Waiting> {
  readonly waiting: readonly W[];
  /** The largest batch that is faster than smaller ones on this segment and device. */
  readonly limit: number;
  /** The index of the segment along the path. */
  readonly segment: number;
}

/** The queue that runs next, and the samples taken from it. */
export interface Decision<W extends Waiting> {
  /** The index of the queue. */
  readonly queue: number;
  readonly batch: readonly W[];
}

/** The most that past compute delays a request, ms: a long request is overtaken for this long and no longer. */
const MAX_PENALTY_MS = 250;

/**
 * Samples whose urgency differs by less count as equally urgent, ms: the time of a run or two of a small model. It costs
 * newcomers no more, and while those that are deeper finish, the newcomers gather for a larger batch.
 */
const TIE_MS = 5;

/**
 * Least attained service with ageing: the request that has had the least compute goes first, and each millisecond of
 * waiting offsets one of compute. So small requests overtake large ones, newcomers catch up and join batches, and no
 * request starves. Ties go to the deepest segment, which keeps few samples in progress at a time and batches large.
 * The batch holds the most urgent samples of the chosen queue, up to its limit.
 */
export function pick<W extends Waiting>(
  queues: readonly Queue<W>[],
  now: number,
): Decision<W> | undefined {
  const urgency = ({ attained, since }: Waiting): number =>
    now - since - Math.min(attained, MAX_PENALTY_MS);
  const most = queues.map(({ waiting }) =>
    waiting.reduce((top, sample) => Math.max(top, urgency(sample)), Number.NEGATIVE_INFINITY),
  );
  const top = Math.max(...most);
  if (!Number.isFinite(top)) return undefined;
  const index = queues
    .map((_, i) => i)
    .filter((i) => at(most, i) > top - TIE_MS)
    .reduce((best, i) => {
      const deeper = at(queues, i).segment - at(queues, best).segment;
      return deeper > 0 || (deeper === 0 && at(most, i) > at(most, best)) ? i : best;
    });
  const { waiting, limit } = at(queues, index);
  const batch =
    waiting.length <= limit
      ? waiting
      : [...waiting].sort((a, b) => urgency(b) - urgency(a)).slice(0, limit);
  return { queue: index, batch };
}
