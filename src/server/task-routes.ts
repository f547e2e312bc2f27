/** Installs one route per task. Decoding, inference and encoding run in the engine's workers. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type, { type TSchema } from 'typebox';
import type { Engine } from '../engine/engine.ts';
import type { TaskAnswer, TaskExit } from '../engine/types.ts';
import { Problem, shortened } from '../errors.ts';
import {
  StoppingQuery,
  toStoppingParameters,
  type StoppingWire,
} from '../tasks/common/stopping-query.ts';
import { EVENT_STREAM, JSON_TYPE } from '../tasks/common/media-types.ts';
import type { Options, Task, TaskRequest } from '../tasks/task.ts';
import { bodyBytes, formParts, mediaType } from './body.ts';
import type { Metrics, Outcome } from './metrics.ts';
import { followsExits, sendEvents } from './events.ts';
import { negotiate } from './negotiation.ts';
import { epochMs, notesOf } from './notes.ts';
import { performTask, refuseWhileFull } from './perform.ts';
import { describeTask } from './openapi.ts';
import { toProblem } from './problems.ts';

const Preview = Type.Optional(
  Type.Boolean({ description: `With Accept: ${EVENT_STREAM}: each exit with the answer there.` }),
);

/** Query schema of a route: common parameters and those of the task. */
const querySchema = (task: Task) =>
  Type.Object(
    {
      model: Type.Optional(
        Type.String({
          minLength: 1,
          description: "A model's name; the task's default where absent.",
        }),
      ),
      ...StoppingQuery.properties,
      ...(task.exits && { preview: Preview }),
      ...task.query,
    },
    { additionalProperties: false },
  );

type Query = StoppingWire & Options & { readonly model?: string; readonly preview?: boolean };

/**
 * Adds `POST /v1/ROUTE` for a task, and counts how its requests end.
 * @param maxBodyBytes limit on a multipart form as a whole, bytes
 */
export function installTask(
  app: FastifyInstance,
  task: Task,
  engine: Engine,
  metrics: Metrics,
  maxBodyBytes: number,
): void {
  const querystring = querySchema(task);
  app.post(`/v1/${task.route}`, {
    schema: { querystring },
    onRequest: refuseWhileFull(engine, () => task.name),
    preValidation: ({ query }, _reply, done) => {
      checkNumbers(query as Options, querystring.properties);
      done();
    },
    config: { openapi: describeTask(task) },
    // A hook, because validation errors and bodies that are too large never reach the handler.
    onError: async (request, reply, error) => {
      const problem = toProblem(error);
      const { model = (request.query as Query).model } = problem;
      const outcome = reply.raw.destroyed ? 'cancelled' : outcomeOf(problem);
      metrics.unanswered(modelLabel(model, engine, task), outcome, reply.elapsedTime);
    },
    handler: async (request, reply) => {
      addVary(reply, 'Accept');
      const signal = untilGone(reply);
      const asked = await toTaskRequest(request, task, maxBodyBytes);
      const notes = notesOf(request);
      notes.arrivedAt = epochMs();
      const perform = async (onExit?: (exit: TaskExit) => void): Promise<TaskAnswer> => {
        const traced = notes.traceId !== undefined;
        const caller = { client: request.ip, signal, traced, ...(onExit && { onExit }) };
        const { answer, summary } = await performTask(engine, task.name, asked, caller);
        metrics.answered(summary, notes.traceId);
        notes.summary = summary;
        return answer;
      };
      if (asked.events)
        return sendEvents(request, reply, perform, (problem) =>
          metrics.unanswered(
            modelLabel(problem.model ?? asked.model, engine, task),
            outcomeOf(problem),
            reply.elapsedTime,
          ),
        );
      const answer = await perform();
      return reply.headers(answer.headers).type(answer.contentType).send(answer.body);
    },
  });
}

/** Keeps what other parts of the service vary by, such as Origin. */
function addVary(reply: FastifyReply, field: string): void {
  const before = reply.getHeader('vary');
  reply.header('vary', before === undefined ? field : `${String(before)}, ${field}`);
}

/** Refuses what type coercion accepts: blanks as 0, `1e999` as Infinity. @throws Problem `bad-parameter` */
function checkNumbers(query: Options, properties: Readonly<Record<string, TSchema>>): void {
  for (const [name, value] of Object.entries(query)) {
    const { type } = (properties[name] ?? {}) as { type?: string };
    if (String(value).trim() === '')
      throw new Problem('bad-parameter', `The parameter ${shortened(name)} is blank.`);
    if ((type === 'number' || type === 'integer') && !Number.isFinite(Number(value)))
      throw new Problem('bad-parameter', `The parameter ${name} must be a finite number.`);
  }
}

async function toTaskRequest(
  request: FastifyRequest,
  task: Task,
  maxBodyBytes: number,
): Promise<TaskRequest> {
  const { model, preview, options, stopping } = splitQuery(request.query as Query, task);
  const contentType = mediaType(request, Object.keys(task.takes));
  const wanted = task.wanted?.(options);
  const events = followsExits(request.headers.accept, task) && { preview: preview === true };
  if (preview !== undefined && !events)
    throw new Problem('bad-parameter', `preview goes with Accept: ${EVENT_STREAM}.`);
  const accept = wanted
    ? [wanted]
    : events
      ? [JSON_TYPE]
      : negotiate(request.headers.accept, Object.keys(task.gives));
  const parts =
    contentType === 'multipart/form-data' && task.form
      ? await formParts(request, task.form, maxBodyBytes)
      : undefined;
  return {
    task: task.name,
    contentType,
    body: parts ? new Uint8Array() : bodyBytes(request),
    ...(parts && { parts }),
    stopping: toStoppingParameters(stopping),
    ...(model !== undefined && { model }),
    ...(accept && { accept }),
    ...(events && { events }),
    options,
  };
}

/** Splits the query into model, task parameters and stopping parameters. */
function splitQuery({ model, preview, ...query }: Query, task: Task) {
  const entries = Object.entries(query);
  const isOwn = ([name]: [string, unknown]): boolean => name in task.query;
  return {
    model,
    preview,
    options: Object.fromEntries(entries.filter(isOwn)) as Options,
    stopping: Object.fromEntries(entries.filter((entry) => !isOwn(entry))) as StoppingWire,
  };
}

/** Aborts when the client disconnects before the answer is written. */
export function untilGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.on('close', () => {
    if (!reply.raw.writableEnded) controller.abort();
  });
  return controller.signal;
}

/**
 * Metric label: the named model, else the default of the task. Empty for unknown models, so that labels stay bounded, and
 * where a task has several defaults and the input was not decoded, which decides between them.
 */
export function modelLabel(name: unknown, engine: Engine, task?: Task): string {
  if (name !== undefined || !task)
    return typeof name === 'string' && engine.manifests.has(name) ? name : '';
  const models = [...engine.manifests.values()].filter((model) => model.task === task.name);
  const defaults = models.filter((model) => model.default);
  const [only, ...others] = defaults.length > 0 ? defaults : models;
  return only && others.length === 0 ? only.name : '';
}

/** How a request ended that got this problem, for the metrics. */
export function outcomeOf(problem: Problem): Exclude<Outcome, 'ok'> {
  if (['overloaded', 'draining', 'deadline-missed'].includes(problem.code)) return 'overloaded';
  if (problem.code === 'client-closed-request') return 'cancelled';
  return problem.status < 500 ? 'rejected' : 'failed';
}
