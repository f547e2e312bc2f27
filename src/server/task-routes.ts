/** One route for each task. The thread of HTTP only moves bytes: decoding, running and encoding happen in the engine's workers. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { formats, isFormat } from '../codecs/formats.ts';
import type { Engine } from '../engine/engine.ts';
import type { TaskRequest } from '../engine/types.ts';
import { Problem } from '../errors.ts';
import { StoppingQuery, toStoppingParameters } from '../tasks/common/stopping-query.ts';
import { bodyBytes, labelledFiles, mediaType, onlyFile } from './body.ts';
import { describeTask } from './describe.ts';
import type { Metrics, Outcome } from './metrics.ts';
import { negotiate } from './negotiation.ts';
import { toProblem } from './problems.ts';

export interface TaskRoute {
  /** The last part of the path, and the task's name in the engine. */
  readonly task: string;
  readonly summary: string;
  readonly takes: readonly string[];
  readonly gives: readonly string[];
  /** The field of a multipart form that holds its one file; without it a form holds labelled images. */
  readonly field?: string;
}

const imageTypes = formats.map((format) => `image/${format}`);

export const taskRoutes: readonly TaskRoute[] = [
  {
    task: 'denoise',
    summary: 'An image without its noise; each tile is denoised as deep as it needs.',
    takes: ['multipart/form-data', 'image/*'],
    gives: [...imageTypes, 'application/json'],
    field: 'image',
  },
  {
    task: 'recover',
    summary: 'Sparse signals from their measurements, each as deep as it needs.',
    takes: ['application/json', 'application/octet-stream', 'application/x-npy'],
    gives: ['application/json', 'application/octet-stream', 'application/x-npy'],
  },
  {
    task: 'recognize',
    summary:
      'The class that an image shows; the image may be of any size, its central square is looked at.',
    takes: ['multipart/form-data', 'image/*'],
    gives: ['application/json'],
    field: 'image',
  },
  {
    task: 'few-shot',
    summary:
      'Labels for images, learnt from a few labelled ones by as many gradient steps as they need.',
    takes: ['application/json', 'multipart/form-data'],
    gives: ['application/json'],
  },
];

const Query = Type.Object(
  {
    model: Type.Optional(
      Type.String({
        minLength: 1,
        description: "A model's name; the task's default where absent.",
      }),
    ),
    ...StoppingQuery.properties,
  },
  { additionalProperties: false },
);
const ImageQuery = Type.Object(
  {
    ...Query.properties,
    format: Type.Optional(
      Type.String({
        enum: [...formats, 'json', 'depth'],
        description:
          'The format of the answer; counts more than Accept. depth: a picture of how deep each tile went, white is full depth.',
      }),
    ),
    depth_map: Type.Optional(
      Type.Boolean({
        description: 'With a JSON answer: the depth of every tile as a grid, `depth_map`.',
      }),
    ),
  },
  { additionalProperties: false },
);

type QueryValues = Record<string, string | number | boolean | undefined>;

export function installTask(
  app: FastifyInstance,
  route: TaskRoute,
  engine: Engine,
  metrics: Metrics,
  maxBodyBytes: number,
): void {
  const query = route.gives.some((type) => type.startsWith('image/')) ? ImageQuery : Query;
  app.post(`/v1/${route.task}`, {
    schema: { querystring: query, ...describeTask(route) },
    // Here and not around the handler: a bad parameter or a body that is too large never reaches it.
    onError: async (request, reply, error) => {
      const { model } = request.query as QueryValues;
      metrics.unanswered(
        modelLabel(model, engine),
        reply.raw.destroyed ? 'cancelled' : outcomeOf(toProblem(error)),
      );
    },
    handler: async (request, reply) => {
      reply.header('vary', 'Accept');
      const signal = untilGone(reply);
      const asked = await toTaskRequest(request, route, request.query as QueryValues, maxBodyBytes);
      const { answer, summary } = await engine.perform(asked, { signal });
      metrics.answered(summary);
      return reply.headers(answer.headers).type(answer.contentType).send(answer.body);
    },
  });
}

async function toTaskRequest(
  request: FastifyRequest,
  route: TaskRoute,
  values: QueryValues,
  maxBodyBytes: number,
): Promise<TaskRequest> {
  const { model, format, depth_map: asked = false, ...stopping } = values;
  const contentType = mediaType(request, route.takes);
  const accept = wantedType(request, route, format);
  if (asked && accept !== 'application/json')
    throw new Problem(
      'bad-parameter',
      'depth_map goes with a JSON answer: add format=json, or take the map as an image by format=depth.',
    );
  const form = contentType === 'multipart/form-data';
  const parts = form && !route.field ? await labelledFiles(request, maxBodyBytes) : undefined;
  const body = parts
    ? new Uint8Array()
    : form
      ? await onlyFile(request, route.field!, maxBodyBytes)
      : bodyBytes(request);
  return {
    task: route.task,
    contentType,
    body,
    ...(parts && { parts }),
    stopping: toStoppingParameters(stopping),
    ...(model !== undefined && { model: String(model) }),
    ...(accept !== undefined && { accept }),
    ...((asked || format === 'depth') && { depthMap: true }),
  };
}

function wantedType(
  request: FastifyRequest,
  { gives }: TaskRoute,
  format: unknown,
): string | undefined {
  if (format === 'json') return 'application/json';
  if (format === 'depth') return 'image/png';
  if (typeof format === 'string' && isFormat(format)) return `image/${format}`;
  return negotiate(request.headers.accept, gives);
}

/** Aborts when the client leaves before its answer is written. */
function untilGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.on('close', () => {
    if (!reply.raw.writableEnded) controller.abort();
  });
  return controller.signal;
}

/** A bounded label: names that no model has are not repeated. */
const modelLabel = (name: unknown, engine: Engine): string =>
  typeof name === 'string' && engine.manifests.has(name) ? name : '';

function outcomeOf(problem: Problem): Exclude<Outcome, 'ok'> {
  if (problem.code === 'overloaded' || problem.code === 'draining') return 'overloaded';
  if (problem.code === 'client-closed-request') return 'cancelled';
  return problem.status < 500 ? 'rejected' : 'failed';
}
