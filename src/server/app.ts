/** Builds the fastify app: one function per concern. Decoding and inference run in workers. */
import fastify, { LogController, type FastifyInstance } from 'fastify';
import type { Engine } from '../engine/engine.ts';
import { tasks } from '../tasks/by-name.ts';
import { installBodies } from './body.ts';
import { installDocs } from './docs.ts';
import { installEncodings } from './encoding.ts';
import type { Metrics } from './metrics.ts';
import { installModels } from './models.ts';
import { installPage } from './page.ts';
import { installProblems, sendProblem, toProblem } from './problems.ts';
import { installTask } from './task-routes.ts';
import { installV2 } from './v2/rest.ts';

/** What the HTTP side needs of the service: the engine, metrics, limits (bytes) and state. */
export interface AppOptions {
  readonly engine: Engine;
  readonly metrics: Metrics;
  readonly modelsDir: string;
  readonly maxBodyBytes: number;
  readonly version: string;
  readonly logLevel: string;
  /** True once the service is shutting down; `/health/ready` then answers 503. */
  draining: () => boolean;
}

/** Builds the app with all its routes; it does not listen yet. */
export async function buildApp({
  engine,
  metrics,
  modelsDir,
  maxBodyBytes,
  version,
  logLevel,
  draining,
}: AppOptions): Promise<FastifyInstance> {
  const app = fastify({
    logger: { level: logLevel },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes,
    ajv: {
      customOptions: {
        removeAdditional: false,
        coerceTypes: true,
        allErrors: false,
      },
    },
    frameworkErrors: (error, request, reply) => void sendProblem(toProblem(error), request, reply),
    routerOptions: { querystringParser: strictQuery },
    forceCloseConnections: 'idle',
    // A client that sends a byte a second would hold its connection for hours: 64 MB within two minutes are 4 Mbit/s.
    requestTimeout: 120_000,
    // Longer than the idle time of the usual balancers (60 s), which would otherwise reuse a connection as it closes.
    keepAliveTimeout: 75_000,
    // Headers are a few kilobytes.
    http: { headersTimeout: 20_000 },
  });
  // A keep-alive connection would delay the shutdown until it times out.
  app.addHook('onSend', async (_request, reply) => {
    if (draining()) void reply.header('connection', 'close');
  });
  installProblems(app);
  await installDocs(app, version);
  installEncodings(app, maxBodyBytes);
  await installBodies(app, maxBodyBytes);
  for (const task of tasks) installTask(app, task, engine, metrics, maxBodyBytes);
  installModels(app, engine.manifests, modelsDir);
  const ready = (): boolean => !draining() && engine.workers > 0 && engine.manifests.size > 0;
  await installV2(app, { engine, metrics, version, ready });
  const tags = ['operations'];
  app.get('/health/live', { schema: { tags, summary: 'The process answers.' } }, () => ({
    status: 'live',
  }));
  app.get(
    '/health/ready',
    { schema: { tags, summary: 'Requests are accepted; 503 while shutting down.' } },
    (_request, reply) =>
      reply
        .code(ready() ? 200 : 503)
        .send({ status: draining() ? 'draining' : ready() ? 'ready' : 'not ready' }),
  );
  app.get(
    '/metrics',
    { schema: { tags, summary: 'Depth, latency and load, for Prometheus.' } },
    async (_request, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  await installPage(app);
  return app;
}

/** Parses repeated parameters as lists, so that validation refuses them; otherwise the last value would be used silently. */
function strictQuery(text: string): Record<string, string | string[]> {
  const result: Record<string, string | string[]> = {};
  for (const [key, value] of new URLSearchParams(text)) {
    const before = result[key];
    result[key] = before === undefined ? value : [before, value].flat();
  }
  return result;
}
