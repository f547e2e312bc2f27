/** Builds the fastify app: one function per concern. Decoding and inference run in workers. */
import fastify, { LogController, type FastifyInstance } from 'fastify';
import type { Engine } from '../engine/engine.ts';
import { tasks } from '../tasks/by-name.ts';
import { OPEN_ACCESS, type Access } from '../config/access.ts';
import { installAccess } from './access.ts';
import { installBasePath, stripBasePath } from './base-path.ts';
import { installBodies } from './body.ts';
import { installBodyMemory } from './body-memory.ts';
import { installBrowserRules } from './browser.ts';
import { answerClientError } from './client-errors.ts';
import { installCompression } from './compression.ts';
import { installDocs, installDocsPage } from './docs.ts';
import { installEncodings } from './encoding.ts';
import type { Metrics } from './metrics.ts';
import { installRequestLog } from './logging.ts';
import { installModels } from './models.ts';
import { installHealth, installMetrics, isReady } from './operations.ts';
import { installPage } from './page.ts';
import { installProblems, sendProblem, toProblem } from './problems.ts';
import { installRequestIds, requestIdOptions } from './request-ids.ts';
import { installTask } from './task-routes.ts';
import type { Tracing } from './tracing.ts';
import { installUnreadLimit } from './unread.ts';
import { installV2 } from './v2/rest.ts';

/** What the HTTP side needs of the service: the engine, metrics, limits (bytes) and state. */
export interface AppOptions {
  readonly engine: Engine;
  readonly metrics: Metrics;
  readonly modelsDir: string;
  readonly maxBodyBytes: number;
  readonly version: string;
  readonly logLevel: string;
  /** Where the log goes; default: standard output, line by line. */
  readonly logStream?: { write(line: string): void } | undefined;
  /** Whose `X-Forwarded-For` names the client; default: nobody's, the client is the connection's address. */
  readonly trustProxy?: boolean | string;
  /** The share of requests that get a line in the log, 0..1; default 0. */
  readonly logRequests?: number;
  /** Traces requests, where given. */
  readonly tracing?: Tracing | undefined;
  /** True once the service is shutting down; `/health/ready` then answers 503. */
  draining: () => boolean;
  readonly access?: Access;
  /** Time for a request to arrive, s. */
  readonly requestTimeout?: number;
  /** Time that a connection may stay open between two requests, s. */
  readonly keepAliveTimeout?: number;
}

/** Headers are a few kilobytes. */
const HEADERS_TIMEOUT_MS = 20_000;

/** Node takes no more than this for a request's line and headers together. */
const MAX_URL = 16_384;

/** Builds the app with all its routes; it does not listen yet. */
export async function buildApp({
  engine,
  metrics,
  modelsDir,
  maxBodyBytes,
  version,
  logLevel,
  logStream,
  trustProxy = false,
  logRequests = 0,
  tracing,
  draining,
  access = OPEN_ACCESS,
  // A client that sends a byte a second would hold its connection for hours: 64 MB within two minutes are 4 Mbit/s.
  requestTimeout = 120,
  // Longer than the idle time of the usual balancers (60 s), which would otherwise reuse a connection as it closes.
  keepAliveTimeout = 75,
}: AppOptions): Promise<FastifyInstance> {
  const app = fastify({
    logger: { level: logLevel, ...(logStream && { stream: logStream }) },
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'request_id',
    }),
    bodyLimit: maxBodyBytes,
    trustProxy,
    ajv: {
      customOptions: {
        removeAdditional: false,
        coerceTypes: true,
        allErrors: false,
      },
    },
    frameworkErrors: (error, request, reply) => void sendProblem(toProblem(error), request, reply),
    // Names in paths are as long as their folders'; Node bounds the URL. What is too long would match routes that it does not fit.
    routerOptions: { querystringParser: strictQuery, maxParamLength: MAX_URL },
    rewriteUrl: stripBasePath(access.basePath),
    ...requestIdOptions,
    forceCloseConnections: 'idle',
    requestTimeout: requestTimeout * 1000,
    keepAliveTimeout: keepAliveTimeout * 1000,
    http: {
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeout * 1000),
      // How often Node looks for requests that are over their time; its default is 30 s.
      connectionsCheckingInterval: Math.min(5_000, requestTimeout * 250),
    },
    clientErrorHandler: answerClientError,
  });
  // A keep-alive connection would delay the shutdown until it times out.
  app.addHook('onSend', async (_request, reply) => {
    if (draining()) void reply.header('connection', 'close');
  });
  installRequestLog(app, logRequests);
  tracing?.install(app);
  installProblems(app);
  installRequestIds(app);
  installBasePath(app, access.basePath);
  await installCompression(app);
  await installBrowserRules(app, access.corsOrigins);
  installAccess(app, access);
  const { basePath } = access;
  await installDocs(app, { version, basePath, tokens: access.apiTokens.length > 0 });
  installEncodings(app, maxBodyBytes);
  await installBodies(app, maxBodyBytes);
  installBodyMemory(app, engine.memory, maxBodyBytes);
  // Answers that are not read may hold as much as bodies do.
  installUnreadLimit(app, engine.memory.mostBodies);
  for (const task of tasks) installTask(app, task, engine, metrics, maxBodyBytes);
  await installModels(app, engine, modelsDir);
  const ready = (): boolean => isReady(engine, draining);
  await installV2(app, { engine, metrics, version, access, draining, ready });
  installHealth(app, engine, draining);
  if (access.managementPort === 0) {
    installMetrics(app, metrics);
    await installDocsPage(app, basePath);
  }
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
