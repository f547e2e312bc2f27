/** One JSON line for a share of the requests: route, outcome and cost. No bodies, no queries. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { destination } from 'pino';
import { deepest, notesOf } from './notes.ts';

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
  app.addHook('onResponse', async (request, reply) => {
    if (!/\/v\d\//.test(request.routeOptions.url ?? '')) return;
    if (reply.statusCode < 500 && Math.random() >= share) return;
    app.log.info(lineOf(request, reply), 'request');
  });
}

function lineOf(request: FastifyRequest, reply: FastifyReply): object {
  const { summary, code } = notesOf(request);
  const stopped = summary && deepest(summary);
  return {
    id: request.id,
    method: request.method,
    route: request.routeOptions.url,
    status: reply.statusCode,
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
    ms: rounded(reply.elapsedTime),
    bytes_in: bytesIn(request),
    bytes_out: Number(reply.getHeader('content-length') ?? 0),
    ...(reply.raw.writableFinished ? {} : { aborted: true }),
  };
}

/** Bytes of the body: as sent, or as read where the header does not say. */
const bytesIn = ({ headers, body }: FastifyRequest): number =>
  Number(headers['content-length'] ?? (Buffer.isBuffer(body) ? body.length : 0));

const rounded = (value: number): number => Math.round(value * 100) / 100;
