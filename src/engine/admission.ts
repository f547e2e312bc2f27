/** Decides which requests are accepted and how deep models may run: pure functions of the work in flight. */
import { Problem } from '../errors.ts';

/** What a request is predicted to take of a worker. */
export interface Cost {
  readonly samples: number;
  /** Compute at the depths now being taken, s. */
  readonly seconds: number;
}

/** What the workers may hold together. */
export interface Limits {
  readonly samples: number;
  /** Predicted compute, s: that of a queue times the number of workers. */
  readonly seconds: number;
  readonly workers: number;
}

/** The work of some requests: accepted and not yet answered. */
export interface Load {
  readonly requests: number;
  readonly samples: number;
  readonly seconds: number;
  /** Requests above a quarter of a limit. */
  readonly large: number;
  /** Shares of the limits, every request counted for at most a quarter. */
  readonly sampleShare: number;
  readonly timeShare: number;
}

/** The load while no request is in flight. */
export const NO_LOAD: Load = {
  requests: 0,
  samples: 0,
  seconds: 0,
  large: 0,
  sampleShare: 0,
  timeShare: 0,
};

/** One request counts for at most this share of a limit: small ones overtake it in the worker, so it delays them by no more. */
const MAX_SHARE = 0.25;
/** Depth is lowered from this share of the limits on … */
const SHED_FROM = 0.5;
/** … and is lowest at this one, which is also the most that clients above their fair share may fill. */
const OPEN_SHARE = 0.75;
/** Shares are rounded to tenths, so that workers are not told of every small change; the first exit always stays. */
const SHARE_STEPS = 10;
const MIN_SHARE = 1 / SHARE_STEPS;
/** Retry-After, s: at least a second, and never so long that a client gives up. */
const MIN_RETRY_S = 1;
const MAX_RETRY_S = 30;

const shareOf = (value: number, limit: number): number => Math.min(value / limit, MAX_SHARE);

const isLarge = ({ samples, seconds }: Cost, limits: Limits): boolean =>
  samples > MAX_SHARE * limits.samples || seconds > MAX_SHARE * limits.seconds;

/**
 * A guess of what a request costs, from its bytes: never more than makes it a large one, since a few bytes of one image may
 * stand for more pixels than many of another.
 * @param samples those that are known
 */
export const bounded = (guess: Cost, samples: number, limits: Limits): Cost => ({
  samples: Math.max(samples, Math.min(guess.samples, Math.floor(MAX_SHARE * limits.samples))),
  seconds: Math.min(guess.seconds, MAX_SHARE * limits.seconds),
});

/** Sums of shares are not exact. */
const ROUNDING = 1e-9;

const NOTHING: Cost = { samples: 0, seconds: 0 };

/** The load after the cost of one request changes; undefined stands for a request that is new or was answered. */
export function updateLoad(
  load: Load,
  from: Cost | undefined,
  to: Cost | undefined,
  limits: Limits,
): Load {
  const requests = load.requests + (to ? 1 : 0) - (from ? 1 : 0);
  // Rounding errors would add up.
  if (requests === 0) return NO_LOAD;
  const [a, b] = [from ?? NOTHING, to ?? NOTHING];
  const change = (key: 'samples' | 'seconds'): number =>
    shareOf(b[key], limits[key]) - shareOf(a[key], limits[key]);
  return {
    requests,
    samples: load.samples + b.samples - a.samples,
    seconds: load.seconds + b.seconds - a.seconds,
    large: load.large + Number(isLarge(b, limits)) - Number(isLarge(a, limits)),
    sampleShare: load.sampleShare + change('samples'),
    timeShare: load.timeShare + change('seconds'),
  };
}

/** How full the service is with this load: 1 at a limit. */
export const fullness = ({ sampleShare, timeShare }: Load): number =>
  Math.max(sampleShare, timeShare);

/** How long a new request waits until those before it have had their turn, s. */
export const predictedWait = ({ timeShare }: Load, { seconds, workers }: Limits): number =>
  (timeShare * seconds) / workers;

/** A request that asks to be taken, and what else is in flight. */
export interface Application {
  readonly cost: Cost;
  /** From now to its deadline, s; undefined where it has none. */
  readonly secondsLeft?: number | undefined;
  /** The load of all other requests. */
  readonly load: Load;
  /** The load of the other requests of the same client, and the number of clients in flight, this one included. */
  readonly client?: { readonly load: Load; readonly clients: number } | undefined;
}

/**
 * Why a request is refused; undefined where it is accepted.
 * - While nothing else is in flight any size is accepted: a request above the limit could never be answered otherwise.
 * - A large request waits for no small one: each worker may hold one, and more only within the limits.
 * - A client that holds more than half of an equal share may fill three quarters of the limits; the rest is left for others.
 * - A deadline that passes before the request's turn is refused at once.
 */
export function refusal(application: Application, limits: Limits): Problem | undefined {
  const { cost, secondsLeft, load, client } = application;
  if (load.requests === 0) return undefined;
  const wait = predictedWait(load, limits);
  if (secondsLeft !== undefined && wait > secondsLeft) return missedDeadline(wait);
  const after = updateLoad(load, undefined, cost, limits);
  const isTooLarge = after.samples > limits.samples || after.seconds > limits.seconds;
  if (isLarge(cost, limits) && load.large >= limits.workers && isTooLarge)
    return overloaded(load, limits, load.seconds / limits.workers);
  const isGreedy =
    client !== undefined &&
    fullness(updateLoad(client.load, undefined, cost, limits)) > 0.5 / client.clients;
  const most = isGreedy ? OPEN_SHARE : 1;
  if (fullness(after) <= most + ROUNDING) return undefined;
  const excess = 1 - most / fullness(after);
  return overloaded(load, limits, excess * (load.seconds / limits.workers));
}

/** The answer to a request whose deadline passes before its turn. @param wait predicted, s */
export const missedDeadline = (wait: number): Problem =>
  new Problem(
    'deadline-missed',
    `The deadline passes before the request's turn, in about ${wait.toFixed(1)} s; send it again later or with a longer deadline_ms.`,
    { retryAfter: retryAfter(wait) },
  );

function overloaded(load: Load, limits: Limits, seconds: number): Problem {
  const retry = retryAfter(seconds);
  const detail =
    load.sampleShare >= load.timeShare
      ? `${load.samples} samples are pending (limit ${limits.samples})`
      : `${load.seconds.toFixed(1)} s of compute are pending (limit ${limits.seconds} s)`;
  return new Problem('overloaded', `${detail}; retry in ${retry} s.`, { retryAfter: retry });
}

const retryAfter = (seconds: number): number =>
  Math.min(MAX_RETRY_S, Math.max(MIN_RETRY_S, Math.ceil(seconds - ROUNDING)));

/** The share of its exits that each model may use: 1 up to half the limits, then falling linearly to the first exit. */
export function exitShare(load: Load): number {
  const full = fullness(load);
  if (full <= SHED_FROM) return 1;
  const share = (OPEN_SHARE - full) / (OPEN_SHARE - SHED_FROM);
  return Math.max(MIN_SHARE, Math.round(share * SHARE_STEPS) / SHARE_STEPS);
}
