/** Units of traffic that are independent of each other: all the requests of one source are one unit. */
import { Random } from '../data/random.ts';
import type { TracedRequest } from './regret.ts';

/**
 * Which unit every request belongs to. A unit counts by its number of requests, so that a share is one of requests; with
 * equally many requests in each it is the mean over units. That number must be part of the design (draws for each image),
 * not a consequence of the outcomes.
 */
export interface UnitIndex {
  readonly count: number;
  readonly of: Int32Array;
  /** Requests of the largest unit. */
  readonly largest: number;
  /** Requests of each unit, as a share of the largest's. */
  readonly weight: Float64Array;
}

/** Betting needs an order that does not depend on outcomes. This one depends on the names of the sources alone. */
const ORDER_SEED = 1_609;

/** The units in a random, reproducible order. */
export function unitsOf(requests: readonly TracedRequest[]): UnitIndex {
  const sources = [...new Set(requests.map(({ source }) => source))].sort();
  const random = new Random(ORDER_SEED);
  for (let i = sources.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [sources[i], sources[j]] = [sources[j]!, sources[i]!];
  }
  const places = new Map(sources.map((source, i) => [source, i]));
  const of = Int32Array.from(requests, ({ source }) => places.get(source)!);
  const sizes = new Float64Array(sources.length);
  for (const unit of of) sizes[unit]!++;
  const largest = sizes.reduce((a, b) => Math.max(a, b));
  return { count: sources.length, of, largest, weight: sizes.map((size) => size / largest) };
}

/** @throws Error naming a source that is in two parts, or the part that is empty */
export function checkDisjoint(parts: Readonly<Record<string, readonly TracedRequest[]>>): void {
  const seen = new Map<string, string>();
  for (const [part, requests] of Object.entries(parts)) {
    if (requests.length === 0) throw new Error(`no requests for ${part}`);
    for (const { source } of requests) {
      const other = seen.get(source) ?? part;
      if (other !== part) throw new Error(`source ${source} is in ${other} and in ${part}`);
      seen.set(source, part);
    }
  }
}
