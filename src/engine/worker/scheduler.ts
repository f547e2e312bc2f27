/** Decides what runs next; a pure function of the queues and the clock. */

/** A sample that waits at a segment. */
export interface Waiting {
  /** Compute its request has had so far, ms, shared among the request's samples that ran together. */
  readonly attained: number;
  /** When its request last ran, or arrived. */
  readonly since: number;
}

export interface Queue<W extends Waiting> {
  readonly waiting: readonly W[];
  /** The largest batch that pays on this segment and device. */
  readonly limit: number;
  /** The number of the segment, along the path. */
  readonly segment: number;
}

export interface Decision<W extends Waiting> {
  readonly queue: number;
  readonly batch: readonly W[];
}

/** A long request is not set back further than this, ms. */
const SETBACK = 250;

/**
 * The request that has had the least compute goes first, and each millisecond of waiting makes up for one of compute:
 * small requests pass large ones, newcomers catch up with those ahead and share their batches, and nobody starves.
 * Among equals the deepest goes first, so that of a large request few samples are on their way at a time.
 * The batch holds the most urgent samples of that queue, up to its limit.
 */
export function pick<W extends Waiting>(
  queues: readonly Queue<W>[],
  now: number,
): Decision<W> | undefined {
  const urgency = ({ attained, since }: Waiting): number =>
    now - since - Math.min(attained, SETBACK);
  let best: { queue: number; urgency: number; segment: number } | undefined;
  queues.forEach(({ waiting, segment }, queue) => {
    for (const sample of waiting) {
      const value = urgency(sample);
      if (!best || value > best.urgency || (value === best.urgency && segment > best.segment))
        best = { queue, urgency: value, segment };
    }
  });
  if (!best) return undefined;
  const { waiting, limit } = queues[best.queue]!;
  const batch =
    waiting.length <= limit
      ? waiting
      : [...waiting].sort((a, b) => urgency(b) - urgency(a)).slice(0, limit);
  return { queue: best.queue, batch };
}
