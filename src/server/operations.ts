/** Routes for operators: health and metrics. */
import type { FastifyInstance } from 'fastify';
import type { Engine } from '../engine/engine.ts';
import type { Metrics } from './metrics.ts';

const tags = ['operations'];

/** Whether requests are accepted. */
export const isReady = (
  { workers, manifests }: Pick<Engine, 'workers' | 'manifests'>,
  draining: () => boolean,
): boolean => !draining() && workers > 0 && manifests.size > 0;

/** Adds `/health/live` and `/health/ready`. */
export function installHealth(
  app: FastifyInstance,
  engine: Pick<Engine, 'workers' | 'manifests'>,
  draining: () => boolean,
): void {
  app.get('/health/live', { schema: { tags, summary: 'The process answers.' } }, () => ({
    status: 'live',
  }));
  app.get(
    '/health/ready',
    { schema: { tags, summary: 'Requests are accepted; 503 while shutting down.' } },
    (_request, reply) => {
      const ready = isReady(engine, draining);
      return reply
        .code(ready ? 200 : 503)
        .send({ status: draining() ? 'draining' : ready ? 'ready' : 'not ready' });
    },
  );
}

/** Adds `/metrics`. */
export function installMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.get(
    '/metrics',
    { schema: { tags, summary: 'Depth, latency and load, for Prometheus.' } },
    async (request, reply) => {
      const { type, text } = await metrics.render(request.headers.accept);
      return reply.type(type).send(text);
    },
  );
}
