/** The Open Inference Protocol (V2) over REST, for every model; tensors are decoded and encoded in the workers. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access } from '../../config/access.ts';
import type { Engine } from '../../engine/engine.ts';
import { Problem, shortened } from '../../errors.ts';
import { JSON_LENGTH, openInferenceRest } from '../../tasks/open-inference/rest.ts';
import { epochMs, notesOf } from '../notes.ts';
import { performTask, refuseWhileFull } from '../perform.ts';
import { bodyBytes } from '../body.ts';
import type { Metrics } from '../metrics.ts';
import { toProblem } from '../problems.ts';
import { modelLabel, outcomeOf, untilGone } from '../task-routes.ts';
import {
  findModel,
  modelConfig,
  modelMetadata,
  modelStatistics,
  repositoryIndex,
  serverMetadata,
} from './models.ts';
import { describeV2 } from './openapi.ts';
import { changeRepository } from './repository.ts';

/** What the routes need of the service. */
export interface V2Options {
  readonly engine: Engine;
  readonly metrics: Metrics;
  readonly version: string;
  readonly access: Access;
  draining: () => boolean;
  /** Whether requests are accepted. */
  ready: () => boolean;
}

interface ModelPath {
  readonly Params: { readonly model: string; readonly version?: string };
}

/** Adds `/v2` and everything below it. */
export async function installV2(app: FastifyInstance, options: V2Options): Promise<void> {
  await app.register(
    (v2, _options, done) => {
      installServer(v2, options);
      for (const versioned of [false, true]) installModel(v2, options, versioned);
      done();
    },
    { prefix: '/v2' },
  );
}

function installServer(v2: FastifyInstance, options: V2Options): void {
  const { engine, metrics, version, access, draining, ready } = options;
  const { manifests } = engine;
  v2.get('', { config: describeV2('serverMetadata') }, () => serverMetadata(version));
  v2.get('/health/live', { config: describeV2('serverLive') }, () => ({ live: true }));
  v2.get('/health/ready', { config: describeV2('serverReady') }, (_request, reply) =>
    reply.code(ready() ? 200 : 503).send({ ready: ready() }),
  );
  v2.get('/models/stats', { config: describeV2('serverStatistics') }, () => ({
    model_stats: [...manifests.values()].map((one) => modelStatistics(one, metrics.statistics)),
  }));
  v2.post('/repository/index', { config: describeV2('repositoryIndex') }, ({ body }) =>
    repositoryIndex(engine, parsedBody(body, '{"ready": true}').ready === true),
  );
  for (const action of ['load', 'unload'] as const)
    v2.post<ModelPath>(
      `/repository/models/:model/${action}`,
      { config: describeV2(`model${action === 'load' ? 'Load' : 'Unload'}`) },
      ({ params, body }) => {
        if (draining())
          throw new Problem('draining', 'The service is shutting down; use another instance.');
        const { parameters } = parsedBody(body, '{}');
        return changeRepository(engine, access, action, params.model, parameters);
      },
    );
}

/** The JSON of a request, whose body may be empty. @param example of what it may be */
function parsedBody(body: unknown, example: string): Readonly<Record<string, unknown>> {
  if (!Buffer.isBuffer(body) || body.length === 0) return {};
  try {
    return (JSON.parse(body.toString()) as Readonly<Record<string, unknown>> | null) ?? {};
  } catch (error) {
    throw new Problem('bad-body', `The body must be JSON such as ${example}, or empty.`, {
      cause: error,
    });
  }
}

function installModel(v2: FastifyInstance, options: V2Options, versioned: boolean): void {
  const { engine, metrics, ready } = options;
  const path = versioned ? '/models/:model/versions/:version' : '/models/:model';
  const describe = (operation: Parameters<typeof describeV2>[0]) => ({
    config: describeV2(operation, versioned),
  });
  const find = ({ params: { model, version } }: FastifyRequest<ModelPath>) =>
    findModel(engine, model, version);
  v2.get<ModelPath>(path, describe('modelMetadata'), (request) =>
    modelMetadata(find(request), engine),
  );
  v2.get<ModelPath>(`${path}/ready`, describe('modelReady'), (request, reply) => {
    const { name } = find(request);
    return reply.code(ready() ? 200 : 503).send({ name, ready: ready() });
  });
  v2.get<ModelPath>(`${path}/config`, describe('modelConfig'), (request) =>
    modelConfig(find(request)),
  );
  v2.get<ModelPath>(`${path}/stats`, describe('modelStatistics'), (request) => ({
    model_stats: [modelStatistics(find(request), metrics.statistics)],
  }));
  v2.post<ModelPath>(`${path}/infer`, {
    ...describe('modelInfer'),
    onRequest: refuseWhileFull(engine, (request) =>
      kindOf((request.params as ModelPath['Params']).model),
    ),
    onError: async ({ params }, reply, error) => {
      const problem = toProblem(error);
      const { model = params.model } = problem;
      const outcome = reply.raw.destroyed ? 'cancelled' : outcomeOf(problem);
      metrics.unanswered(modelLabel(model, engine), outcome, reply.elapsedTime);
    },
    handler: async (request, reply) => {
      const { name } = find(request);
      const signal = untilGone(reply);
      const asked = {
        task: openInferenceRest.name,
        contentType: '',
        body: bodyBytes(request),
        model: name,
        stopping: {},
        options: { json_bytes: jsonLength(request) },
      };
      const notes = notesOf(request);
      notes.arrivedAt = epochMs();
      const caller = { client: request.ip, signal, traced: notes.traceId !== undefined };
      const { answer, summary } = await performTask(engine, kindOf(name), asked, caller);
      metrics.answered(summary, notes.traceId);
      notes.summary = summary;
      return reply.headers(answer.headers).type(answer.contentType).send(answer.body);
    },
  });
}

/** Requests to one model cost about the same for each byte. */
const kindOf = (model: string): string => `v2 ${model}`;

function jsonLength({ headers }: FastifyRequest): number | undefined {
  const text = headers[JSON_LENGTH];
  if (text === undefined) return undefined;
  if (typeof text === 'string' && /^\s*\d{1,15}\s*$/.test(text)) return Number(text);
  throw new Problem(
    'bad-body',
    `${JSON_LENGTH} must be a whole number of bytes, not ${shortened(String(text))}.`,
  );
}
