/** Names every request: by the caller's `x-request-id` and `traceparent`, where they are well-formed, else by an id of its own. */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';

/** What an id may be: it goes into headers and logs. */
const REQUEST_ID = /^[\w.:/+=@~-]{1,128}$/;
/** W3C Trace Context: version, trace id, parent id, flags; neither id is zero, no version is ff. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's id where it is well-formed, else a new one. */
export const requestId = (given: unknown): string =>
  typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();

/** Options of the app: an id for each request, and both ids on its log lines. */
export const requestIdOptions = {
  genReqId: ({ headers }: Pick<IncomingMessage, 'headers'>): string =>
    requestId(headers['x-request-id']),
  childLoggerFactory: (logger, bindings, options, { headers }) => {
    const trace = traceOf(headers);
    return logger.child({ ...bindings, ...(trace && { trace_id: trace.id }) }, options);
  },
} satisfies FastifyServerOptions;

/** Echoes both ids; a malformed `traceparent` is not echoed. */
export function installRequestIds(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    const trace = traceOf(request.headers);
    if (trace) reply.header('traceparent', trace.parent);
    done();
  });
}

function traceOf({ traceparent }: IncomingHttpHeaders): { id: string; parent: string } | undefined {
  const match = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent) : null;
  return match?.[1] === undefined ? undefined : { id: match[1], parent: match[0] };
}
