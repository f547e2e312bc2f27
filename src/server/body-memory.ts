/** Takes the memory of bodies from the engine's, before they are read. */
import { Transform, type Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Hold, Memory } from '../engine/memory.ts';

/** A body is held twice: here, should a worker end, and in the worker. */
const COPIES = 2;
/** What a body of unknown length is first given, and its further steps, bytes. */
const STEP = 2 ** 18;

/**
 * Every POST holds memory for its body until its answer is sent: its declared length, or what has arrived so far.
 * @param maxBodyBytes what forms of unknown length are given, since they are read past these hooks
 */
export function installBodyMemory(
  app: FastifyInstance,
  memory: Memory,
  maxBodyBytes: number,
): void {
  const holds = new WeakMap<FastifyRequest, Hold>();
  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'POST') return;
    const hold = memory.holdBody(COPIES * expectedBytes(request, maxBodyBytes));
    holds.set(request, hold);
    reply.raw.on('close', () => hold.release());
  });
  app.addHook('onResponse', (request, _reply, done) => {
    holds.get(request)?.release();
    done();
  });
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const hold = holds.get(request);
    const isCounted = !hold || isForm(request) || hasLength(request);
    done(null, isCounted ? payload : counted(payload, hold));
  });
}

/** Whether the declared length is that of the body, and not of its encoded form. */
const hasLength = ({ headers }: FastifyRequest): boolean =>
  headers['content-length'] !== undefined && headers['content-encoding'] === undefined;

const isForm = ({ headers }: FastifyRequest): boolean =>
  headers['content-type']?.trim().toLowerCase().startsWith('multipart/') === true;

/** A length above the limit is refused elsewhere, before anything is read. */
function expectedBytes(request: FastifyRequest, maxBodyBytes: number): number {
  if (hasLength(request)) return Math.min(Number(request.headers['content-length']), maxBodyBytes);
  return isForm(request) ? maxBodyBytes : STEP;
}

/** The same stream; it fails with a Problem where there is no memory for what arrives. */
function counted(payload: Readable & { receivedEncodedLength?: number }, hold: Hold): Readable {
  let total = 0;
  let held = STEP;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      total += chunk.length;
      if (total <= held) return next(null, chunk);
      try {
        held = Math.ceil(total / STEP) * STEP;
        hold.resize(COPIES * held);
        next(null, chunk);
      } catch (error) {
        next(error as Error);
      }
    },
  });
  Object.defineProperty(counter, 'receivedEncodedLength', {
    get: () => payload.receivedEncodedLength ?? total,
  });
  payload.on('error', (error) => counter.destroy(error));
  // Where a request is refused before its body is read, nobody else listens, and an error would end the process.
  counter.on('error', () => undefined);
  return payload.pipe(counter);
}
