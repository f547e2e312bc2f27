/** Configuration by environment, read and checked once at start. */
import { availableParallelism } from 'node:os';
import envSchema from 'env-schema';
import Type, { type Static } from 'typebox';

const Environment = Type.Object({
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8080 }),
  GRPC_PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 0 }),
  HOST: Type.String({ default: '0.0.0.0' }),
  MODELS_DIR: Type.String({ default: 'models' }),
  EXECUTION_PROVIDER: Type.String({ enum: ['auto', 'cpu', 'webgpu', 'cuda'], default: 'auto' }),
  WORKERS: Type.Integer({ minimum: 0, maximum: 256, default: 0 }),
  INTRA_OP_THREADS: Type.Integer({ minimum: 1, maximum: 256, default: 1 }),
  ISOLATION: Type.String({ enum: ['thread', 'process'], default: 'thread' }),
  MAX_PENDING: Type.Integer({ minimum: 1, default: 1024 }),
  SHED_DEPTH: Type.Boolean({ default: true }),
  MAX_BODY_BYTES: Type.Integer({ minimum: 1024, default: 67_108_864 }),
  MAX_PIXELS: Type.Integer({ minimum: 1024, default: 40_000_000 }),
  DRAIN_DELAY: Type.Number({ minimum: 0, maximum: 600, default: 0 }),
  DRAIN_TIMEOUT: Type.Number({ minimum: 1, maximum: 3600, default: 30 }),
  LOG_LEVEL: Type.String({
    enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
  }),
});

/** The settings of the service with all defaults resolved: `workers` is at least 1. */
export interface Config {
  readonly port: number;
  /** Port of the gRPC server; 0: there is none. */
  readonly grpcPort: number;
  readonly host: string;
  readonly modelsDir: string;
  readonly provider: 'auto' | 'cpu' | 'webgpu' | 'cuda';
  readonly workers: number;
  readonly threads: number;
  readonly isolation: 'thread' | 'process';
  readonly maxPending: number;
  readonly shed: boolean;
  readonly maxBodyBytes: number;
  readonly maxPixels: number;
  /** Seconds between `ready` turning 503 and the end of listening. */
  readonly drainDelay: number;
  /** Seconds that accepted requests get to finish. */
  readonly drainTimeout: number;
  readonly logLevel: string;
}

/** @throws a sentence that names the variable and what it may be */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const set = Object.fromEntries(
    Object.entries(env).filter(([key, value]) => key in Environment.properties && value !== ''),
  );
  let values: Static<typeof Environment>;
  try {
    values = envSchema<Static<typeof Environment>>({ schema: Environment, data: set, env: false });
  } catch (error) {
    throw new Error(
      `The configuration is not valid: ${(error as Error).message.replace(/^env\//, '')}.`,
      { cause: error },
    );
  }
  return {
    port: values.PORT,
    grpcPort: values.GRPC_PORT,
    host: values.HOST,
    modelsDir: values.MODELS_DIR,
    provider: values.EXECUTION_PROVIDER as Config['provider'],
    workers:
      values.WORKERS || Math.max(1, Math.floor(availableParallelism() / values.INTRA_OP_THREADS)),
    threads: values.INTRA_OP_THREADS,
    isolation: values.ISOLATION as Config['isolation'],
    maxPending: values.MAX_PENDING,
    shed: values.SHED_DEPTH,
    maxBodyBytes: values.MAX_BODY_BYTES,
    maxPixels: values.MAX_PIXELS,
    drainDelay: values.DRAIN_DELAY,
    drainTimeout: values.DRAIN_TIMEOUT,
    logLevel: values.LOG_LEVEL,
  };
}
