/** The end of the service: it drains on SIGTERM and SIGINT, and ends at once on a second signal or when the time is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import type { Config } from './config.ts';
import type { Engine } from './engine/engine.ts';
import type { GrpcServer } from './server/grpc/server.ts';
import type { Tracing } from './server/tracing.ts';

/** What is closed, in this order. */
export interface Running {
  readonly app: FastifyInstance;
  readonly grpc: GrpcServer | undefined;
  readonly engine: Engine;
  readonly management: FastifyInstance | undefined;
  readonly tracing: Tracing | undefined;
}

/**
 * Drains and closes on signals.
 * @param onDrain called first: the service is not ready any more
 * @returns what to call when a worker thread is stuck: the service drains and then ends with an error
 */
export function shutDownOnSignals(
  { drainDelay, drainTimeout }: Pick<Config, 'drainDelay' | 'drainTimeout'>,
  { app, grpc, engine, management, tracing }: Running,
  onDrain: () => void,
): () => void {
  let isStuck = false;
  // process.exit() waits for native calls, and ends threads inside them, which aborts the process.
  const die = (): void => {
    engine.kill();
    process.kill(process.pid, 'SIGKILL');
  };
  const { close } = closeWithGrace(
    {
      delay: (drainDelay + drainTimeout) * 1000,
      logger: app.log,
      onTimeout: () => {
        app.log.fatal('DRAIN_TIMEOUT is over and requests are unanswered; killed');
        die();
      },
      onSecondSignal: (signal) => {
        app.log.fatal(`second ${signal}; killed`);
        die();
      },
    },
    async ({ err }) => {
      if (err) app.log.fatal({ err }, 'shutting down after an error');
      onDrain();
      grpc?.drain();
      const since = Date.now();
      app.log.info({ pending: engine.pending }, 'draining');
      await sleep(err ? 0 : drainDelay * 1000);
      await Promise.all([app.close(), grpc?.close()]);
      await engine.close();
      await management?.close();
      await tracing?.close().catch((error: unknown) => app.log.warn({ err: error }, 'traces lost'));
      app.log.info({ ms: Date.now() - since }, 'drained');
      if (isStuck) die();
    },
  );
  return () => {
    isStuck = true;
    app.log.fatal('a worker thread is stuck and cannot be ended: draining, to be replaced');
    close();
  };
}
