import type { FastifyInstance } from 'fastify';
import type { Engine } from '../../src/engine/engine.ts';
import type { EngineOptions } from '../../src/engine/pool.ts';
import { buildApp, type AppOptions } from '../../src/server/app.ts';
import { buildManagement } from '../../src/server/management.ts';
import { Metrics } from '../../src/server/metrics.ts';
import { startSmallEngine, writeModels } from '../support/small.ts';

export interface SmallService {
  readonly app: FastifyInstance;
  readonly engine: Engine;
  readonly state: { draining: boolean };
  /** The app of the second port; it is built where it is first asked for. */
  management(): Promise<FastifyInstance>;
  close(): Promise<void>;
}

/** The whole service on the small models, without a socket. */
export async function startSmallService(
  options: Partial<EngineOptions> = {},
  http: Partial<AppOptions> = {},
): Promise<SmallService> {
  const modelsDir = options.modelsDir ?? (await writeModels());
  const metrics = new Metrics('test');
  const engine = await startSmallEngine({ ...options, modelsDir }, { segment: metrics.segment });
  const service = await serveEngine(engine, { modelsDir, metrics, ...http });
  return {
    ...service,
    close: async () => {
      await service.close();
      await engine.close();
    },
  };
}

/** A service on an engine that outlives it: starting one takes seconds. */
export async function serveEngine(
  engine: Engine,
  http: Partial<AppOptions> & Pick<AppOptions, 'modelsDir'>,
): Promise<SmallService> {
  const { metrics = new Metrics('test') } = http;
  metrics.serve(engine);
  const state = { draining: false };
  const whole: AppOptions = {
    engine,
    metrics,
    maxBodyBytes: 4_000_000,
    version: 'test',
    logLevel: 'silent',
    draining: () => state.draining,
    ...http,
  };
  const app = await buildApp(whole);
  let management: Promise<FastifyInstance> | undefined;
  return {
    app,
    engine,
    state,
    management: () => (management ??= buildManagement(app, whole)),
    close: async () => {
      await app.close();
      await (await management)?.close();
    },
  };
}

/** A multipart form as the bytes and the header that a client would send. */
export async function form(
  parts: readonly { field: string; file?: Uint8Array; text?: string }[],
): Promise<{ payload: Buffer; headers: Record<string, string> }> {
  const data = new FormData();
  for (const { field, file, text } of parts) {
    if (file) data.append(field, new Blob([new Uint8Array(file)]), 'picture.png');
    else data.append(field, text ?? '');
  }
  const response = new Response(data);
  return {
    payload: Buffer.from(await response.arrayBuffer()),
    headers: { 'content-type': response.headers.get('content-type')! },
  };
}
