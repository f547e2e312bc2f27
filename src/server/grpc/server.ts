/** The Open Inference Protocol over gRPC, with health and reflection. Messages of tensors pass through as bytes to the workers. */
import {
  Server,
  ServerCredentials,
  type handleUnaryCall,
  type Metadata,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { OPEN_ACCESS, type Access } from '../../config/access.ts';
import type { Engine } from '../../engine/engine.ts';
import { grpcPackage, inferenceService } from '../../tasks/open-inference/grpc-messages.ts';
import { openInferenceGrpc } from '../../tasks/open-inference/grpc-decoder.ts';
import { performTask, type Caller } from '../perform.ts';
import type { Metrics } from '../metrics.ts';
import { notesOf, type Notes } from '../notes.ts';
import { toProblem } from '../problems.ts';
import { modelLabel, outcomeOf } from '../task-routes.ts';
import {
  findModel,
  modelConfig,
  modelMetadata,
  modelStatistics,
  repositoryIndex,
  serverMetadata,
} from '../v2/models.ts';
import { changeRepository, type RepositoryAction } from '../v2/repository.ts';
import { tokenInterceptor } from './access.ts';
import { logInterceptor, logMessage, type RequestLog } from './logging.ts';
import { addressOf, answerAll, StreamWriter, untilCancelled, Unread } from './stream.ts';
import { firstText, inStream, streamError, toStatus } from './wire.ts';

/** What the gRPC side needs of the service. */
export interface GrpcOptions {
  readonly engine: Engine;
  readonly metrics: Metrics;
  readonly version: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Limit on a message, bytes. */
  readonly maxBodyBytes: number;
  /** Who may call, and who may load and unload models; default: everybody may call. */
  readonly access?: Access;
  ready: () => boolean;
  /** Is told of errors inside the service. */
  log: (error: unknown) => void;
  /** Answers in streams that clients do not read, bytes; default: what bodies may hold. */
  readonly maxUnreadBytes?: number;
  /** Default: no request is logged. */
  readonly requestLog?: RequestLog;
}

/** A gRPC server that listens. */
export interface GrpcServer {
  readonly port: number;
  /** Health says NOT_SERVING from here on. */
  drain(): void;
  /** Takes no new calls; resolves when those in progress are answered. */
  close(): Promise<void>;
}

const SERVICE = 'inference.GRPCInferenceService';
const STREAM_PATH = `/${SERVICE}/ModelStreamInfer`;
const NO_LOG: RequestLog = { share: 0, write: () => undefined };

/** Starts to listen. @throws Error where the port cannot be had */
export async function startGrpc(options: GrpcOptions): Promise<GrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxBodyBytes,
    'grpc.max_send_message_length': -1,
    // Calls without a token are logged too.
    interceptors: [
      logInterceptor(options.requestLog ?? NO_LOG, SERVICE),
      tokenInterceptor(options.access ?? OPEN_ACCESS),
    ],
  });
  server.addService(bytesOnly(), {
    ...describing(options),
    ...changing(options),
    ...inferring(options),
  });
  const health = new HealthImplementation({ '': 'SERVING', [SERVICE]: 'SERVING' });
  health.addToServer(server);
  new ReflectionService(grpcPackage).addToServer(server);
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      `${host}:${options.port}`,
      ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve(bound)),
    );
  });
  return {
    port,
    drain: () => ['', SERVICE].forEach((name) => health.setStatus(name, 'NOT_SERVING')),
    close: () =>
      new Promise((resolve, reject) =>
        server.tryShutdown((error) => (error ? reject(error) : resolve())),
      ),
  };
}

/** The service, with infer messages as the bytes they are: the workers read and write them. */
function bytesOnly(): typeof inferenceService {
  const same = (bytes: object): Buffer => bytes as Buffer;
  return Object.fromEntries(
    Object.entries(inferenceService).map(([name, method]) => [
      name,
      name.endsWith('Infer')
        ? { ...method, requestDeserialize: same, responseSerialize: same }
        : method,
    ]),
  );
}

/** The status of a call that failed; its line in the log names the problem. */
function failedWith(
  error: unknown,
  metadata: Metadata,
  log: GrpcOptions['log'],
): ReturnType<typeof toStatus> {
  const problem = toProblem(error);
  notesOf(metadata).code = problem.code;
  return toStatus(problem, log);
}

interface Named {
  readonly name?: string;
  readonly version?: string;
}

/** Everything but inference. */
function describing({
  engine,
  metrics,
  version,
  ready,
  log,
}: GrpcOptions): UntypedServiceImplementation {
  const unary =
    <Q>(answer: (request: Q) => object): handleUnaryCall<Q, object> =>
    ({ request, metadata }, callback) => {
      try {
        callback(null, answer(request));
      } catch (error) {
        callback(failedWith(error, metadata, log));
      }
    };
  const find = ({ name = '', version: asked }: Named) => findModel(engine, name, asked);
  const statistics = (request: Named) =>
    request.name ? [find(request)] : [...engine.manifests.values()];
  return {
    ServerLive: unary(() => ({ live: true })),
    ServerReady: unary(() => ({ ready: ready() })),
    ModelReady: unary((request: Named) => ({ ready: find(request) !== undefined && ready() })),
    ServerMetadata: unary(() => serverMetadata(version)),
    ModelMetadata: unary((request: Named) => modelMetadata(find(request), engine)),
    ModelConfig: unary((request: Named) => ({ config: modelConfig(find(request)) })),
    ModelStatistics: unary((request: Named) => ({
      model_stats: statistics(request).map((one) => modelStatistics(one, metrics.statistics)),
    })),
    RepositoryIndex: unary(({ ready: onlyReady }: { ready?: boolean }) => ({
      models: repositoryIndex(engine, onlyReady),
    })),
  };
}

/** Loading and unloading. */
function changing({
  engine,
  access = OPEN_ACCESS,
  log,
}: GrpcOptions): UntypedServiceImplementation {
  const change =
    (action: RepositoryAction): handleUnaryCall<Change, object> =>
    ({ request: { model_name: name = '', parameters }, metadata }, callback) => {
      new Promise((resolve) => {
        resolve(changeRepository(engine, access, action, name, parameters));
      }).then(
        () => callback(null, {}),
        (error: unknown) => callback(failedWith(error, metadata, log)),
      );
    };
  return { RepositoryModelLoad: change('load'), RepositoryModelUnload: change('unload') };
}

interface Change {
  readonly model_name?: string;
  readonly parameters?: object;
}

function inferring({
  engine,
  metrics,
  log,
  requestLog = NO_LOG,
  maxUnreadBytes = engine.memory.mostBodies,
}: GrpcOptions): UntypedServiceImplementation {
  const unread = new Unread(maxUnreadBytes);
  const infer = async (
    message: Buffer,
    caller: Caller,
    notes: Notes,
    stream: boolean,
  ): Promise<Buffer> => {
    const startedAt = performance.now();
    const asked = {
      task: openInferenceGrpc.name,
      contentType: 'application/grpc',
      body: message,
      stopping: {},
      options: { stream },
    };
    try {
      const { answer, summary } = await performTask(engine, 'v2 grpc', asked, caller);
      metrics.answered(summary);
      notes.summary = summary;
      return Buffer.from(answer.body.buffer, answer.body.byteOffset, answer.body.length);
    } catch (error) {
      const problem = toProblem(error);
      // ModelInferRequest begins with the model's name.
      const { model = firstText(message) } = problem;
      const ms = performance.now() - startedAt;
      metrics.unanswered(modelLabel(model, engine), outcomeOf(problem), ms);
      throw error;
    }
  };
  /** The answer to one message, or its error. */
  const inferInStream = async (
    metadata: Metadata,
    message: Buffer,
    caller: Caller,
  ): Promise<Buffer> => {
    const notes: Notes = {};
    const startedAt = performance.now();
    const ended = { path: STREAM_PATH, metadata, startedAt, bytesIn: message.length };
    try {
      const answer = await infer(message, caller, notes, true);
      logMessage(requestLog, notes, { ...ended, bytesOut: answer.length });
      return inStream(answer);
    } catch (error) {
      const problem = toProblem(error);
      notes.code = problem.code;
      logMessage(requestLog, notes, { ...ended, bytesOut: 0, problem });
      return streamError(problem, log);
    }
  };
  return {
    ModelInfer: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      const caller = { signal: untilCancelled(call).signal, client: addressOf(call) };
      infer(call.request, caller, notesOf(call.metadata), false).then(
        (answer) => callback(null, answer),
        (error: unknown) => callback(failedWith(error, call.metadata, log)),
      );
    },
    ModelStreamInfer: (call: ServerDuplexStream<Buffer, Buffer>) =>
      answerAll(call, new StreamWriter(call, unread), (message, caller) =>
        inferInStream(call.metadata, message, caller),
      ),
  };
}
