/** Starts the service: configuration, engine, HTTP. On SIGTERM it drains and exits. */
import { readFileSync } from 'node:fs';
import { readConfig, type Config } from './config.ts';
import { Engine } from './engine/engine.ts';
import type { EngineEvents } from './engine/pool.ts';
import { buildApp } from './server/app.ts';
import type { GrpcOptions, GrpcServer } from './server/grpc/server.ts';
import { buildManagement } from './server/management.ts';
import { logStream } from './server/logging.ts';
import { Metrics } from './server/metrics.ts';
import { startTracing, wantsTraces } from './server/tracing.ts';
import { shutDownOnSignals } from './shutdown.ts';
import { checkTask } from './tasks/by-name.ts';
import { workerEntry } from './tasks/worker-entry.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

/** Connections that may wait to be accepted: beyond Node's 511, a burst of clients would wait seconds for a second try. */
const BACKLOG = 4096;

async function start(config: Config): Promise<void> {
  // The app brings the logger and needs the engine, so messages of the start are kept until it is there.
  const early: string[] = [];
  let log = (message: string): void => void early.push(message);
  const metrics = new Metrics(version, wantsTraces(process.env));
  let stuck = (): void => undefined;
  const engine = await startEngine(config, {
    log: (message) => log(message),
    events: {
      segment: metrics.segment,
      shadow: metrics.shadow,
      stuck: () => stuck(),
      restarted: () => metrics.restarted(),
    },
  });
  metrics.serve(engine);
  let draining = false;
  const tracing = wantsTraces(process.env) ? await startTracing(version) : undefined;
  const options = {
    ...config,
    ...{ engine, metrics, version, tracing },
    logStream: logStream(),
    draining: () => draining,
  };
  const app = await buildApp(options);
  const { managementPort } = config.access;
  const management = managementPort > 0 ? await buildManagement(app, options) : undefined;
  const isRefusal = (message: string): boolean => / is refused: /.test(message);
  for (const message of early) app.log[isRefusal(message) ? 'warn' : 'info'](message);
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
    requestLog: { share: config.logRequests, write: (line) => app.log.info(line, 'request') },
  });
  stuck = shutDownOnSignals(config, { app, grpc, engine, management, tracing }, () => {
    draining = true;
  });
  await management?.listen({ port: managementPort, host: config.host });
  const address = await app.listen({ port: config.port, host: config.host, backlog: BACKLOG });
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

const startEngine = (
  {
    modelsDir,
    maxPixels,
    provider,
    variants,
    workers,
    threads,
    isolation,
    shed,
    shadowShare,
    ...limits
  }: Config,
  { log, events }: { log: (message: string) => void; events: EngineEvents },
): Promise<Engine> =>
  Engine.start(
    {
      modelsDir,
      entry: workerEntry,
      check: checkTask,
      settings: { maxPixels },
      provider,
      variants,
      workers,
      threads,
      isolation,
      maxPending: limits.maxPending,
      maxQueueSeconds: limits.maxQueueSeconds,
      maxMemoryBytes: limits.maxMemoryBytes,
      shed,
      shadowShare,
      serveWithOne: true,
      openOnFirstUse: true,
      log,
    },
    events,
  );

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
