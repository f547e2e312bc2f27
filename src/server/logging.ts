/** One JSON line for a share of the requests: route, outcome and cost. No bodies, no queries. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { destination } from 'pino';
import { deepest, notesOf, type Notes } from './notes.ts';
import { whenOver } from './over.ts';

/** Lines are written together, at this many bytes … */
const FLUSH_BYTES = 4096;
/** … or after this time, ms: a write for each line would cost more than the rest of a refusal. */
const FLUSH_MS = 100;
/** What waits for a reader that does not read, bytes; further lines are dropped. */
const MAX_WAITING_BYTES = 2 ** 20;
/** How often a write is tried again, every 100 ms, before its lines are dropped. */
const MAX_RETRIES = 10;

/** Where the log goes: standard output. Who reads it cannot hold up the service: what is not read within a second may be lost. */
export function logStream(): ReturnType<typeof destination> {
  let retries = 0;
  const stream = destination({
    minLength: FLUSH_BYTES,
    periodicFlush: FLUSH_MS,
    maxLength: MAX_WAITING_BYTES,
    sync: false,
    retryEAGAIN: () => ++retries <= MAX_RETRIES,
  });
  stream.on('write', () => (retries = 0));
  stream.on('error', () => (retries = 0));
  process.prependListener('exit', () => {
    try {
      stream.flushSync();
    } catch {
      // Nobody reads it.
    }
    stream.destroy();
  });
  return stream;
}

/**
 * Logs a line `request` for each request to a model or to a route under `/v1` and `/v2`.
 * @param share of the requests that get a line, 0..1; those that end with 5xx always do, unless it is 0
 */
export function installRequestLog(app: FastifyInstance, share: number): void {
  if (share === 0) return;
  whenOver(app, (request, reply, status) => {
    if (isLogged(share, status)) app.log.info(lineOf(request, reply, status), 'request');
  });
}

/** Whether a request gets a line: those that end with 5xx always do, unless the share is 0. */
export const isLogged = (share: number, status: number): boolean =>
  share > 0 && (status >= 500 || Math.random() < share);

/** How a request ended, beside what its notes say. */
export interface Ended {
  readonly id: string;
  readonly method: string;
  readonly route: string | undefined;
  /** Of HTTP. */
  readonly status: number;
  readonly ms: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The client left before the whole answer was sent. */
  readonly aborted: boolean;
}

/** The fields of a request's line. */
export function requestLine({ summary, code }: Notes, ended: Ended): object {
  const stopped = summary && deepest(summary);
  const { id, method, route, status, ms, bytesIn, bytesOut, aborted } = ended;
  return {
    ...{ id, method, route, status },
    ...(code && { code }),
    ...(summary && {
      model: summary.model,
      samples: summary.depths.length,
      queue_ms: rounded(summary.timing.queueMs),
      compute_ms: rounded(summary.timing.computeMs),
    }),
    ...(stopped && {
      depth: stopped.depth,
      depth_mean: rounded(stopped.mean),
      reason: stopped.reason,
    }),
    ms: rounded(ms),
    bytes_in: bytesIn,
    bytes_out: bytesOut,
    ...(aborted && { aborted }),
  };
}

const lineOf = (request: FastifyRequest, reply: FastifyReply, status: number): object =>
  requestLine(notesOf(request), {
    id: request.id,
    method: request.method,
    route: request.routeOptions.url,
    status,
    ms: reply.elapsedTime,
    bytesIn: bytesIn(request),
    bytesOut: Number(reply.getHeader('content-length') ?? 0),
    aborted: !reply.raw.writableFinished,
  });

/** Bytes of the body: as sent, or as read where the header does not say. */
const bytesIn = ({ headers, body }: FastifyRequest): number =>
  Number(headers['content-length'] ?? (Buffer.isBuffer(body) ? body.length : 0));

const rounded = (value: number): number => Math.round(value * 100) / 100;
