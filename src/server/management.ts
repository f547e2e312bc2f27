/** The second port: health, metrics and documentation, apart from what callers reach. */
import fastify, { LogController, type FastifyInstance } from 'fastify';
import { OPEN_ACCESS } from '../config/access.ts';
import { installAccess } from './access.ts';
import type { AppOptions } from './app.ts';
import { installBrowserRules } from './browser.ts';
import { answerClientError } from './client-errors.ts';
import { serveDocument } from './docs.ts';
import { installHealth, installMetrics } from './operations.ts';
import { installProblems, sendProblem, toProblem } from './problems.ts';

/** Builds the management app of a service; it does not listen yet. */
export async function buildManagement(
  service: FastifyInstance,
  { engine, metrics, logLevel, logStream, draining, access = OPEN_ACCESS }: AppOptions,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: { level: logLevel, ...(logStream && { stream: logStream }) },
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, request, reply) => void sendProblem(toProblem(error), request, reply),
    clientErrorHandler: answerClientError,
    forceCloseConnections: true,
    requestTimeout: 10_000,
    // Nothing is sent here.
    bodyLimit: 1024,
  });
  installProblems(app);
  await installBrowserRules(app, []);
  installAccess(app, access);
  await service.ready();
  await serveDocument(app, service.swagger());
  installHealth(app, engine, draining);
  installMetrics(app, metrics);
  return app;
}
