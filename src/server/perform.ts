/** Task requests on their way to the engine, with what admission needs to know of them. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Engine } from '../engine/engine.ts';
import type { TaskExit } from '../engine/types.ts';
import { packRequest } from '../tasks/pack.ts';
import type { TaskRequest } from '../tasks/task.ts';

/** Who asks, and until when. */
export interface Caller {
  /** Whose share of the service the request counts against. */
  readonly client: string;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  /** Whether the request has a span. */
  readonly traced?: boolean;
  /** Is told of the exits, where the request follows them. */
  readonly onExit?: (exit: TaskExit) => void;
}

/**
 * Runs a request.
 * @param kind requests of one kind cost about the same for each byte
 * @throws Problem
 */
export const performTask = (
  engine: Engine,
  kind: string,
  asked: TaskRequest,
  { client, signal, traced, onExit }: Caller,
): ReturnType<Engine['perform']> =>
  engine.perform(() => packRequest(asked), {
    signal,
    client,
    kind,
    bytes: sizeOf(asked),
    ...(traced && { traced }),
    ...(onExit && { onExit }),
    ...(asked.stopping.deadlineMs !== undefined && { deadlineMs: asked.stopping.deadlineMs }),
  });

/** Bytes of the body or of the form's files. */
const sizeOf = ({ body, parts = [] }: TaskRequest): number =>
  parts.reduce((sum, part) => sum + ('file' in part ? part.file.length : 0), body.length);

/**
 * A hook that refuses requests while the service is full, before it reads their bodies: a refusal then costs little.
 * @param kindOf requests of one kind cost about the same for each byte
 */
export const refuseWhileFull =
  (engine: Engine, kindOf: (request: FastifyRequest) => string) =>
  (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    const bytes = Number(request.headers['content-length'] ?? 0);
    try {
      engine.admit({ kind: kindOf(request), units: bytes, client: request.ip });
      done();
    } catch (error) {
      done(error as Error);
    }
  };
