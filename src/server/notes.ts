/** What the handlers learn of a request, for its log line and its span. */
import type { Summary } from '../engine/transport/messages.ts';
import type { ProblemCode } from '../errors.ts';

/** The summary of an answered request, or the code of a refused one. */
export interface Notes {
  summary?: Summary;
  code?: ProblemCode;
  /** When the engine was asked, ms since the epoch. */
  arrivedAt?: number;
  /** The trace of the request, where it is sampled. */
  traceId?: string;
}

/** The time, ms since the epoch, with fractions. */
export const epochMs = (): number => performance.timeOrigin + performance.now();

const notes = new WeakMap<object, Notes>();

/** The notes on a request of HTTP, or on the metadata of a call of gRPC; they can be changed. */
export function notesOf(request: object): Notes {
  let found = notes.get(request);
  if (!found) notes.set(request, (found = {}));
  return found;
}

/** The deepest sample's depth and reason, and the mean depth; undefined where there is no sample. */
export function deepest({ depths, reasons }: Summary) {
  const depth = Math.max(...depths);
  const reason = reasons[depths.indexOf(depth)];
  if (reason === undefined) return undefined;
  return { depth, reason, mean: depths.reduce((sum, one) => sum + one, 0) / depths.length };
}
