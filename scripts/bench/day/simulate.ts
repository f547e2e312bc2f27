/** Plays requests against replicas of the service: its admission and its lowering of depth are the real ones. */
import type { Random } from '../../../src/data/random.ts';
import {
  exitShare,
  NO_LOAD,
  refusal,
  updateLoad,
  type Cost,
  type Limits,
  type Load,
} from '../../../src/engine/admission.ts';
import { Autoscaler, chart, type ScalingRule } from './autoscaler.ts';

/** Compute of a request, s: at the first exit that computes, and at the depth where the policy stops it. */
export interface RequestCost {
  readonly first: number;
  readonly policy: number;
}

/** The requests of a day, and what serves them. */
export interface Day {
  readonly seconds: number;
  /** Requests, 1/s, at a time. */
  readonly rate: (at: number) => number;
  readonly draw: (at: number, random: Random) => RequestCost;
  /** Workers and limits of a replica. */
  readonly limits: Limits;
  /** From the decision for a replica to its first request, s. */
  readonly startSeconds: number;
}

/** What became of a day's requests. */
export interface Played {
  readonly answered: number;
  readonly refused: number;
  /** Answers whose depth was lowered. */
  readonly lowered: number;
  /** Latencies of the answered, s, ascending. */
  readonly latencies: Float64Array;
  readonly replicaHours: number;
  readonly replicas: readonly { readonly at: number; readonly count: number }[];
}

/** `stopwise_pending_seconds` counts at its highest of so many seconds. */
const WINDOW = 30;
/** Busy time and rate are averaged over so many seconds. */
const AVERAGED = 60;

interface Replica {
  readonly readyAt: number;
  load: Load;
  /** When each worker is free. */
  readonly free: number[];
  /** Requests in flight, the first to end first. */
  readonly running: { readonly end: number; readonly cost: Cost }[];
  readonly pending: { readonly at: number; readonly seconds: number }[];
}

/** @param random draws arrivals, costs and the replica that each request goes to */
export function play(day: Day, rule: ScalingRule, random: Random): Played {
  const scaler = new Autoscaler(rule);
  const start = (readyAt: number): Replica => ({
    readyAt,
    load: NO_LOAD,
    free: Array.from({ length: day.limits.workers }, () => 0),
    running: [],
    pending: [],
  });
  let replicas = Array.from({ length: chart.least }, () => start(0));
  const latencies: number[] = [];
  const recent: { readonly at: number; readonly seconds: number }[] = [];
  const counts: { at: number; count: number }[] = [];
  let [refused, lowered, replicaSeconds, looked] = [0, 0, 0, 0];

  let ready = replicas;
  let changesAt = Number.POSITIVE_INFINITY;
  const update = (at: number): void => {
    ready = replicas.filter(({ readyAt }) => readyAt <= at);
    changesAt = Math.min(...replicas.map(({ readyAt }) => (readyAt > at ? readyAt : Infinity)));
  };
  const look = (at: number): void => {
    update(at);
    const kept = recent.findIndex((one) => one.at >= at - AVERAGED);
    recent.splice(0, kept < 0 ? recent.length : kept);
    const span = Math.min(AVERAGED, Math.max(at, 1));
    const seen = {
      replicas: ready.length,
      pendingSeconds: ready.reduce((sum, one) => sum + highest(one, at), 0),
      busy: Math.min(
        1,
        recent.reduce((sum, { seconds }) => sum + seconds, 0) /
          (span * day.limits.workers * ready.length),
      ),
      rate: recent.length / span,
    };
    replicaSeconds += replicas.length * chart.period;
    counts.push({ at, count: replicas.length });
    const wanted = scaler.look(seen, replicas.length, at);
    // Those that go finish what they hold, and get nothing new.
    if (wanted < replicas.length) replicas = replicas.slice(0, wanted);
    while (replicas.length < wanted) replicas.push(start(at + day.startSeconds));
    update(at);
  };

  for (let at = next(0, day, random); at < day.seconds; at = next(at, day, random)) {
    for (; looked + chart.period <= at; looked += chart.period) look(looked + chart.period);
    if (at >= changesAt) update(at);
    const replica = random.item(ready);
    finish(replica, at, day.limits);
    const share = exitShare(replica.load);
    const { first, policy } = day.draw(at, random);
    const seconds = Math.min(policy, first + share * Math.max(0, policy - first));
    const cost = { samples: 1, seconds };
    const isRefused = refusal({ cost, load: replica.load }, day.limits) !== undefined;
    recent.push({ at, seconds: isRefused ? 0 : seconds });
    if (isRefused) {
      refused++;
      continue;
    }
    if (seconds < policy) lowered++;
    latencies.push(run(replica, cost, at, day.limits));
  }
  return {
    answered: latencies.length,
    refused,
    lowered,
    latencies: Float64Array.from(latencies).sort(),
    replicaHours: replicaSeconds / 3600,
    replicas: counts,
  };
}

/** The time of the next arrival: a Poisson process whose rate is taken from the time of the last one. */
const next = (at: number, { rate }: Day, random: Random): number =>
  at - Math.log(1 - random.uniform()) / rate(at);

/** Takes what has been computed out of the load. */
function finish(replica: Replica, at: number, limits: Limits): void {
  const { running } = replica;
  while (running.length > 0 && running[0]!.end <= at)
    replica.load = updateLoad(replica.load, running.shift()!.cost, undefined, limits);
}

/** Gives a request to the worker that is free first. @returns its latency, s */
function run(replica: Replica, cost: Cost, at: number, limits: Limits): number {
  replica.load = updateLoad(replica.load, undefined, cost, limits);
  replica.pending.push({ at, seconds: replica.load.seconds });
  const worker = replica.free.indexOf(Math.min(...replica.free));
  const end = Math.max(at, replica.free[worker]!) + cost.seconds;
  replica.free[worker] = end;
  const after = replica.running.findLastIndex((one) => one.end <= end);
  replica.running.splice(after + 1, 0, { end, cost });
  return end - at;
}

function highest({ pending }: Replica, at: number): number {
  while (pending.length > 0 && pending[0]!.at < at - WINDOW) pending.shift();
  return pending.reduce((most, { seconds }) => Math.max(most, seconds), 0);
}
