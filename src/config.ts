/** Configuration by environment, read and checked once at start. */
import { availableParallelism } from 'node:os';
import envSchema from 'env-schema';
import Type, { type Static } from 'typebox';
import { AccessEnvironment, readAccess, type Access } from './config/access.ts';

/** Pixels of the largest image that is taken, where nothing else is set. */
export const DEFAULT_MAX_PIXELS = 40_000_000;

const Environment = Type.Object({
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8080 }),
  GRPC_PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 0 }),
  HOST: Type.String({ default: '0.0.0.0' }),
  MODELS_DIR: Type.String({ default: 'models' }),
  EXECUTION_PROVIDER: Type.String({ enum: ['auto', 'cpu', 'webgpu', 'cuda'], default: 'auto' }),
  VARIANTS: Type.String({ enum: ['auto', 'float'], default: 'auto' }),
  WORKERS: Type.Integer({ minimum: 0, maximum: 256, default: 0 }),
  INTRA_OP_THREADS: Type.Integer({ minimum: 1, maximum: 256, default: 1 }),
  ISOLATION: Type.String({ enum: ['thread', 'process'], default: 'thread' }),
  MAX_PENDING: Type.Integer({ minimum: 1, default: 1024 }),
  MAX_QUEUE_SECONDS: Type.Number({ minimum: 0.05, maximum: 3600, default: 2 }),
  MAX_MEMORY_BYTES: Type.Integer({ minimum: 16_777_216, default: 1_073_741_824 }),
  SHED_DEPTH: Type.Boolean({ default: true }),
  SHADOW_SHARE: Type.Number({ minimum: 0, maximum: 1, default: 0 }),
  TRUST_PROXY: Type.String({ default: '' }),
  MAX_BODY_BYTES: Type.Integer({ minimum: 1024, default: 67_108_864 }),
  MAX_PIXELS: Type.Integer({ minimum: 1024, default: DEFAULT_MAX_PIXELS }),
  DRAIN_DELAY: Type.Number({ minimum: 0, maximum: 600, default: 0 }),
  DRAIN_TIMEOUT: Type.Number({ minimum: 1, maximum: 3600, default: 30 }),
  LOG_LEVEL: Type.String({
    enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
  }),
  REQUEST_TIMEOUT: Type.Number({ minimum: 1, maximum: 3600, default: 120 }),
  KEEP_ALIVE_TIMEOUT: Type.Number({ minimum: 1, maximum: 3600, default: 75 }),
  ...AccessEnvironment,
  LOG_REQUESTS: Type.Number({ minimum: 0, maximum: 1, default: 1 }),
});

/** The settings of the service with all defaults resolved: `workers` is at least 1. */
export interface Config {
  readonly port: number;
  /** Port of the gRPC server; 0: there is none. */
  readonly grpcPort: number;
  readonly host: string;
  readonly modelsDir: string;
  readonly provider: 'auto' | 'cpu' | 'webgpu' | 'cuda';
  /** Whether variants that are faster here may run, or float alone. */
  readonly variants: 'auto' | 'float';
  readonly workers: number;
  readonly threads: number;
  readonly isolation: 'thread' | 'process';
  readonly maxPending: number;
  /** Limit on the predicted compute in flight for each worker, s. */
  readonly maxQueueSeconds: number;
  /** Limit on the memory that requests hold together, bytes. */
  readonly maxMemoryBytes: number;
  /** Whose `X-Forwarded-For` is believed: nobody's, everybody's, or that of these addresses. */
  readonly trustProxy: boolean | string;
  readonly shed: boolean;
  /** The share of requests whose early answers are compared with full depth in idle time. */
  readonly shadowShare: number;
  readonly maxBodyBytes: number;
  readonly maxPixels: number;
  /** Seconds between `ready` turning 503 and the end of listening. */
  readonly drainDelay: number;
  /** Seconds that accepted requests get to finish. */
  readonly drainTimeout: number;
  readonly logLevel: string;
  /** Seconds that a request may take to arrive. */
  readonly requestTimeout: number;
  /** Seconds that a connection may stay open between two requests. */
  readonly keepAliveTimeout: number;
  readonly access: Access;
  /** The share of requests that get a line in the log, 0..1. */
  readonly logRequests: number;
}

/** @throws a sentence that names the variable and what it may be */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const set = Object.fromEntries(
    Object.entries(env).filter(
      ([key, value]) => key in Environment.properties && value?.trim() !== '',
    ),
  );
  let values: Static<typeof Environment>;
  try {
    values = envSchema<Static<typeof Environment>>({ schema: Environment, data: set, env: false });
  } catch (error) {
    const { message, errors = [] } = error as Error & {
      errors?: { params?: { allowedValues?: string[] } }[];
    };
    const choices = errors[0]?.params?.allowedValues;
    throw new Error(
      `The configuration is not valid: ${message.replace(/^env\//, '')}${choices ? `: ${choices.join(', ')}` : ''}.`,
      { cause: error },
    );
  }
  for (const [name, value] of Object.entries(values))
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new Error(`The configuration is not valid: ${name} must be a finite number.`);
  return {
    port: values.PORT,
    grpcPort: values.GRPC_PORT,
    host: values.HOST,
    modelsDir: values.MODELS_DIR,
    provider: values.EXECUTION_PROVIDER as Config['provider'],
    variants: values.VARIANTS as Config['variants'],
    workers:
      values.WORKERS || Math.max(1, Math.floor(availableParallelism() / values.INTRA_OP_THREADS)),
    threads: values.INTRA_OP_THREADS,
    isolation: values.ISOLATION as Config['isolation'],
    maxPending: values.MAX_PENDING,
    maxQueueSeconds: values.MAX_QUEUE_SECONDS,
    maxMemoryBytes: values.MAX_MEMORY_BYTES,
    trustProxy: trustedProxies(values.TRUST_PROXY),
    shed: values.SHED_DEPTH,
    shadowShare: values.SHADOW_SHARE,
    maxBodyBytes: values.MAX_BODY_BYTES,
    maxPixels: values.MAX_PIXELS,
    drainDelay: values.DRAIN_DELAY,
    drainTimeout: values.DRAIN_TIMEOUT,
    logLevel: values.LOG_LEVEL,
    requestTimeout: values.REQUEST_TIMEOUT,
    keepAliveTimeout: values.KEEP_ALIVE_TIMEOUT,
    access: readAccess(values),
    logRequests: values.LOG_REQUESTS,
  };
}

/** `true`, `false`, or the addresses of proxies, separated by commas. */
function trustedProxies(text: string): boolean | string {
  if (text === '' || text === 'false') return false;
  if (text === 'true') return true;
  return text;
}
