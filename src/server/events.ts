/** Answers that improve while they are computed: an event for each exit that a sample reaches, then the result. */
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TaskAnswer, TaskExit } from '../engine/types.ts';
import type { Problem } from '../errors.ts';
import { readablePi } from '../tasks/common/depth-report.ts';
import { EVENT_STREAM } from '../tasks/common/media-types.ts';
import type { Task } from '../tasks/task.ts';
import { preferred } from './negotiation.ts';
import { notesOf } from './notes.ts';
import { problemBody, toProblem } from './problems.ts';

/** Answers at exits are left out while more than this waits for the client to read it, bytes. */
export const MAX_WAITING_BYTES = 2 ** 20;

/** Whether the client prefers events to every other answer of a task that has them. */
export function followsExits(accept: string | undefined, { exits, gives }: Task): boolean {
  if (!exits) return false;
  const best = preferred(accept, [...Object.keys(gives), EVENT_STREAM]) ?? [];
  return best.length === 1 && best[0] === EVENT_STREAM;
}

/**
 * Sends the exits of a request as they are reached, then its result or what it failed with.
 * @param perform runs the request
 * @param failed is told what it failed with after the first event
 * @throws what it fails with before the first event
 */
export async function sendEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  perform: (onExit: (exit: TaskExit) => void) => Promise<TaskAnswer>,
  failed: (problem: Problem) => void,
): Promise<FastifyReply> {
  const stream = new Readable({ read: () => undefined });
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const result = perform((exit) => {
    const waiting = stream.readableLength + reply.raw.writableLength;
    stream.push(exitEvent(exit, waiting <= MAX_WAITING_BYTES));
    begin();
  });
  await Promise.race([begun, result]);
  void result
    .then(
      ({ body }) => eventOf('result', body),
      (error: unknown) => {
        const problem = toProblem(error);
        if (problem.code === 'internal')
          request.log.error({ err: problem.cause ?? error }, 'request failed');
        notesOf(request).code = problem.code;
        failed(problem);
        return eventOf('error', JSON.stringify(problemBody(problem, request.originalUrl)));
      },
    )
    .then((last) => {
      stream.push(last);
      stream.push(null);
    });
  // Proxies such as nginx would collect the events otherwise.
  return reply
    .headers({ 'cache-control': 'no-cache', 'x-accel-buffering': 'no' })
    .type(EVENT_STREAM)
    .send(stream);
}

function exitEvent({ answer, ...exit }: TaskExit, isShown: boolean): Buffer {
  const { sample, depth, pi = Number.NaN, threshold = null, tolerance, elapsedMs, stopped } = exit;
  const elapsed_ms = Number(elapsedMs.toFixed(3));
  // NaN is null in JSON.
  const [readable] = readablePi([pi]);
  const known = { sample, depth, pi: readable, threshold, tolerance, elapsed_ms, stopped };
  const data = JSON.stringify(known);
  if (!answer || !isShown) return eventOf('exit', data);
  return eventOf('exit', `${data.slice(0, -1)},"answer":`, answer, '}');
}

/** An event whose data is one line. */
const eventOf = (name: string, ...data: readonly (string | Uint8Array)[]): Buffer =>
  Buffer.concat([`event: ${name}\ndata: `, ...data, '\n\n'].map((part) => Buffer.from(part)));
