/** Starts the service: configuration, engine, HTTP. On SIGTERM it drains and exits. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import { readConfig, type Config } from './config.ts';
import { Engine } from './engine/engine.ts';
import { buildApp } from './server/app.ts';
import type { GrpcOptions, GrpcServer } from './server/grpc/server.ts';
import { buildManagement } from './server/management.ts';
import { Metrics } from './server/metrics.ts';
import { startTracing, wantsTraces } from './server/tracing.ts';
import { checkTask } from './tasks/by-name.ts';
import { workerEntry } from './tasks/worker-entry.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

async function start(config: Config): Promise<void> {
  // The app brings the logger and needs the engine, so messages of the start are kept until it is there.
  const early: string[] = [];
  let log = (message: string): void => void early.push(message);
  const metrics = new Metrics(version);
  let stuck = (): void => undefined;
  const engine = await Engine.start(
    {
      modelsDir: config.modelsDir,
      entry: workerEntry,
      check: checkTask,
      settings: { maxPixels: config.maxPixels },
      provider: config.provider,
      workers: config.workers,
      threads: config.threads,
      isolation: config.isolation,
      maxPending: config.maxPending,
      maxQueueSeconds: config.maxQueueSeconds,
      maxMemoryBytes: config.maxMemoryBytes,
      shed: config.shed,
      log: (message) => log(message),
    },
    { segment: metrics.segment, stuck: () => stuck() },
  );
  metrics.serve(engine);
  let draining = false;
  const tracing = wantsTraces(process.env) ? await startTracing(version) : undefined;
  const options = { ...config, engine, metrics, version, tracing, draining: () => draining };
  const app = await buildApp(options);
  const { managementPort } = config.access;
  const management = managementPort > 0 ? await buildManagement(app, options) : undefined;
  const isRefusal = (message: string): boolean => / is refused: /.test(message);
  for (const message of early) app.log[isRefusal(message) ? 'warn' : 'info'](message);
  log = (message) => {
    if (message === 'the worker was restarted') metrics.restarted();
    app.log.warn(message);
  };
  const names = [...engine.manifests.keys()];
  if (names.length === 0) app.log.warn(`no model in ${config.modelsDir}; train one: npm run train`);
  const grpc = await grpcServer({
    ...config,
    port: config.grpcPort,
    engine,
    metrics,
    version,
    ready: () => !draining && engine.workers > 0,
    log: (err) => app.log.error({ err }, 'request failed'),
  });
  let isStuck = false;
  // process.exit() waits for native calls, and ends threads inside them, which aborts the process.
  const die = (): void => {
    engine.kill();
    process.kill(process.pid, 'SIGKILL');
  };
  const { close } = closeWithGrace(
    {
      delay: (config.drainDelay + config.drainTimeout) * 1000,
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
      draining = true;
      grpc?.drain();
      const since = Date.now();
      app.log.info({ pending: engine.pending }, 'draining');
      await sleep(err ? 0 : config.drainDelay * 1000);
      await Promise.all([app.close(), grpc?.close()]);
      await engine.close();
      await management?.close();
      await tracing?.close().catch((error: unknown) => app.log.warn({ err: error }, 'traces lost'));
      app.log.info({ ms: Date.now() - since }, 'drained');
      if (isStuck) die();
    },
  );
  stuck = () => {
    isStuck = true;
    app.log.fatal('a worker thread is stuck and cannot be ended: draining, to be replaced');
    close();
  };
  await management?.listen({ port: managementPort, host: config.host });
  const address = await app.listen({ port: config.port, host: config.host });
  app.log.info(
    {
      models: names,
      provider: engine.provider,
      workers: engine.workers,
      ...(grpc && { grpcPort: grpc.port }),
    },
    `stopwise ${version} listening at ${address}`,
  );
}

/** The gRPC server where a port is set for it; its libraries are not loaded otherwise. */
async function grpcServer(options: GrpcOptions): Promise<GrpcServer | undefined> {
  if (options.port === 0) return undefined;
  const { startGrpc } = await import('./server/grpc/server.ts');
  return startGrpc(options);
}

try {
  await start(readConfig(process.env));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  // Running workers would keep the process alive, although it does not listen.
  process.exit(1);
}
