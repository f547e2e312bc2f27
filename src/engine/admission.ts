/** Decides which requests are accepted and how deep models may run: pure functions of the samples in flight. */
import { Problem } from '../errors.ts';

/** The samples in flight: accepted and not yet answered. */
export interface Load {
  readonly samples: number;
  /** The same, with every request counted for at most `maxPending` / 4. */
  readonly weighted: number;
}

/** The load while no request is in flight. */
export const NO_LOAD: Load = { samples: 0, weighted: 0 };

/** Depth is lowered once the weighted load exceeds this share of `maxPending`. */
const SHED_ABOVE = 0.5;
/** Shares are rounded to tenths, so that workers are not told of every small change; the first exit always stays. */
const SHARE_STEPS = 10;
const MIN_SHARE = 1 / SHARE_STEPS;
/** The same as the server's Retry-After, s. */
const RETRY_AFTER_S = 1;

/** The load after the sample count of one request changes; a request that is new or answered has 0 samples. */
export const updateLoad = (load: Load, from: number, to: number, maxPending: number): Load => ({
  samples: load.samples + to - from,
  weighted: load.weighted + weight(to, maxPending) - weight(from, maxPending),
});

/** One request counts for at most maxPending / 4, so it cannot trigger shedding alone. */
const weight = (samples: number, maxPending: number): number => Math.min(samples, maxPending / 4);

/**
 * Why a request is refused; undefined where it is accepted. While nothing else is in flight any size is accepted: a
 * request larger than the limit could never be answered otherwise.
 * @param others samples of the other requests in flight
 */
export function refusal(others: number, samples: number, maxPending: number): Problem | undefined {
  if (others === 0 || others + samples <= maxPending) return undefined;
  return new Problem(
    'overloaded',
    `${others} samples are pending (limit ${maxPending}); retry in ${RETRY_AFTER_S} s.`,
  );
}

/** The share of its exits that each model may use: 1 up to half the limit, then falling linearly to the first exit at the limit. */
export function exitShare({ weighted }: Load, maxPending: number): number {
  const load = weighted / maxPending;
  if (load <= SHED_ABOVE) return 1;
  const share = (1 - load) / (1 - SHED_ABOVE);
  return Math.max(MIN_SHARE, Math.round(share * SHARE_STEPS) / SHARE_STEPS);
}
