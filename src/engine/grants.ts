/** Decides which of the waiting requests is decoded next: a pure function. */

/** Requests decoded at a time in one worker; each occupies a thread of libuv's pool (scripts/thread-pool.cjs). */
export const MAX_DECODING = 2;
/** Decoded work that a worker has ahead, s: enough to stay busy, little enough that newcomers get their turn. */
const AHEAD_S = 0.25;
/** One request counts for at most half of that, so that a large one does not keep the next from being decoded. */
const MAX_COUNTED_S = AHEAD_S / 2;
/** After it has waited this long, ms, only small requests overtake a request that needs much memory. */
const PATIENCE_MS = 1000;
/** What is small beside a request that waits for memory. */
const SMALL_SHARE = 1 / 16;

/** A worker, as far as grants are concerned. */
export interface Decoder {
  /** Requests being decoded. */
  readonly decoding: number;
  /** Compute of requests that were granted and are not answered, each counted by `countedAhead`, s. */
  readonly ahead: number;
}

/** A request that waits to be decoded. */
export interface Waiter {
  readonly slot: Decoder;
  /** Memory that it needs, bytes. */
  readonly bytes: number;
  /** When it began to wait, ms. */
  readonly since: number;
  /** What its client has in flight: the one with least goes first. */
  readonly share: number;
}

/** What a request of this compute counts for in `Decoder.ahead`, s. */
export const countedAhead = (seconds: number): number => Math.min(seconds, MAX_COUNTED_S);

/** The next request to be decoded; undefined where each has to wait for memory or for its worker. */
export function nextGrant<W extends Waiter>(
  waiting: readonly W[],
  free: number,
  now: number,
): W | undefined {
  const large = waiting.find(({ bytes, since }) => bytes > free && now - since > PATIENCE_MS);
  const most = large ? large.bytes * SMALL_SHARE : Number.POSITIVE_INFINITY;
  return waiting
    .filter(
      ({ slot, bytes }) =>
        slot.decoding < MAX_DECODING && slot.ahead < AHEAD_S && bytes <= free && bytes <= most,
    )
    .reduce<W | undefined>((first, one) => {
      if (!first || one.share < first.share) return one;
      return one.share === first.share && one.since < first.since ? one : first;
    }, undefined);
}
