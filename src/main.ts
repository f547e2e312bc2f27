/** Starts the service: configuration, engine, HTTP. On SIGTERM it drains and exits. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import { readConfig, type Config } from './config.ts';
import { Engine } from './engine/engine.ts';
import { buildApp } from './server/app.ts';
import type { GrpcOptions, GrpcServer } from './server/grpc/server.ts';
import { Metrics } from './server/metrics.ts';
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
      shed: config.shed,
      log: (message) => log(message),
    },
    { segment: metrics.segment },
  );
  metrics.serve(engine);
  let draining = false;
  const app = await buildApp({ ...config, engine, metrics, version, draining: () => draining });
  for (const message of early) app.log.info(message);
  log = (message) => app.log.warn(message);
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
  closeWithGrace(
    { delay: (config.drainDelay + config.drainTimeout) * 1000, logger: app.log },
    async ({ err }) => {
      if (err) app.log.fatal({ err }, 'shutting down after an error');
      draining = true;
      grpc?.drain();
      await sleep(err ? 0 : config.drainDelay * 1000);
      await Promise.all([app.close(), grpc?.close()]);
      await engine.close();
    },
  );
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
