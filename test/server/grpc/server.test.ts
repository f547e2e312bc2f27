/** The gRPC server on a port of its own, asked by a client. */
import {
  Client,
  credentials,
  makeClientConstructor,
  status,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../../src/data/random.ts';
import { startGrpc, type GrpcServer } from '../../../src/server/grpc/server.ts';
import { Metrics } from '../../../src/server/metrics.ts';
import { inferenceService } from '../../../src/tasks/open-inference/grpc-messages.ts';
import { startSmallService, type SmallService } from '../support.ts';

interface Response {
  model_name: string;
  id: string;
  parameters: Record<string, { int64_param?: number }>;
  outputs: { name: string; datatype: string; shape: number[] }[];
  raw_output_contents: Buffer[];
}
type Unary = (request: object, done: (error: ServiceError | null, answer: object) => void) => void;

let service: SmallService;
let server: GrpcServer;
let metrics: Metrics;
let client: Client & Record<string, Unary>;
let healthClient: Client & Record<string, Unary>;
beforeAll(async () => {
  service = await startSmallService();
  metrics = new Metrics('test');
  server = await startGrpc({
    engine: service.engine,
    metrics,
    version: 'test',
    host: '127.0.0.1',
    port: 0,
    maxBodyBytes: 100_000,
    ready: () => !service.state.draining,
    log: () => undefined,
  });
  const address = `127.0.0.1:${server.port}`;
  const connect = (definition: Parameters<typeof makeClientConstructor>[0]) =>
    new (makeClientConstructor(definition, ''))(
      address,
      credentials.createInsecure(),
    ) as unknown as typeof client;
  client = connect(inferenceService);
  healthClient = connect(healthService);
});
afterAll(async () => {
  client.close();
  healthClient.close();
  await server.close();
  await service.close();
});

const call = <T = Response>(method: string, request: object, at = client): Promise<T> =>
  new Promise((resolve, reject) => {
    at[method]!.call(at, request, (error, answer) =>
      error ? reject(error) : resolve(answer as T),
    );
  });
const failure = (method: string, request: object): Promise<ServiceError> =>
  call(method, request).then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => error as ServiceError,
  );

const N = 3;
const rows = new Float32Array(N * 12);
new Random(4).fillNormal(rows, 1);
const input = { name: 'measurements', datatype: 'FP32', shape: [N, 12] };
const raw = (change: object = {}) => ({
  model_name: 'small-recovery',
  inputs: [input],
  raw_input_contents: [Buffer.from(rows.buffer)],
  ...change,
});
const floats = (bytes: Buffer) => [...new Float32Array(Uint8Array.from(bytes).buffer)];

describe('ModelInfer', () => {
  it('agrees with REST, raw or as contents', async () => {
    const rest = (
      await service.app.inject({
        method: 'POST',
        url: '/v2/models/small-recovery/infer',
        payload: { inputs: [{ ...input, data: Array.from(rows) }], parameters: { threshold: 0.3 } },
      })
    ).json<{ outputs: { name: string; datatype: string; shape: number[]; data: number[] }[] }>();
    const parameters = { threshold: { double_param: 0.3 } };
    const answer = await call('ModelInfer', raw({ id: 'q', parameters }));
    expect([answer.model_name, answer.id]).toEqual(['small-recovery', 'q']);
    expect(answer.outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape }))).toEqual(
      rest.outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    );
    expect(floats(answer.raw_output_contents[0]!)).toEqual([
      ...Float32Array.from(rest.outputs[0]!.data),
    ]);
    const depths = new Int32Array(Uint8Array.from(answer.raw_output_contents[1]!).buffer);
    expect([...depths]).toEqual(rest.outputs[1]!.data);
    expect(answer.parameters.max_depth).toMatchObject({ int64_param: 5 });

    const contents = { fp32_contents: Array.from(rows) };
    const typed = await call('ModelInfer', {
      ...raw({ parameters }),
      raw_input_contents: [],
      inputs: [{ ...input, contents }],
    });
    expect(typed.raw_output_contents).toEqual(answer.raw_output_contents);
  });

  it('gives the outputs that are asked for', async () => {
    const answer = await call(
      'ModelInfer',
      raw({ outputs: [{ name: 'reason' }], parameters: { depth: { int64_param: 2 } } }),
    );
    expect(answer.outputs).toHaveLength(1);
    const text = Buffer.from('\u0005\0\0\0fixed');
    expect(answer.raw_output_contents[0]).toEqual(Buffer.concat([text, text, text]));
  });

  it.each<[string, object, status, RegExp]>([
    ['an unknown model', { model_name: 'x' }, status.NOT_FOUND, /no model x/],
    ['an unknown version', { model_version: '9' }, status.NOT_FOUND, /no version 9/],
    [
      'another shape',
      { inputs: [{ ...input, shape: [12, 3] }] },
      status.INVALID_ARGUMENT,
      /dimension 1 must be 12/,
    ],
    [
      'another datatype',
      { inputs: [{ ...input, datatype: 'FP64' }] },
      status.INVALID_ARGUMENT,
      /FP64/,
    ],
    [
      'too few bytes',
      { raw_input_contents: [Buffer.alloc(8)] },
      status.INVALID_ARGUMENT,
      /8 bytes/,
    ],
    [
      'tensors missing',
      { raw_input_contents: [Buffer.alloc(8), Buffer.alloc(8)] },
      status.INVALID_ARGUMENT,
      /1 inputs and 2/,
    ],
    [
      'a bad parameter',
      { parameters: { depth: { string_param: 'deep' } } },
      status.INVALID_ARGUMENT,
      /depth must be/,
    ],
    [
      'too large a message',
      { raw_input_contents: [Buffer.alloc(200_000)] },
      status.RESOURCE_EXHAUSTED,
      /larger/,
    ],
  ])('fails with %s', async (_, change, code, message) => {
    const error = await failure('ModelInfer', raw(change));
    expect(error.code).toBe(code);
    expect(error.details).toMatch(message);
  });

  it('is counted, failures under the name of the model', async () => {
    await call('ModelInfer', raw());
    await failure('ModelInfer', raw({ parameters: { depth: { int64_param: 77 } } }));
    const text = await metrics.registry.metrics();
    expect(text).toMatch(/requests_total\{model="small-recovery",outcome="ok"\} [1-9]/);
    expect(text).toMatch(/requests_total\{model="small-recovery",outcome="rejected"\} [1-9]/);
  });
});

it('ModelStreamInfer answers in order, errors between the answers', async () => {
  const stream = client.makeBidiStreamRequest(
    '/inference.GRPCInferenceService/ModelStreamInfer',
    inferenceService.ModelStreamInfer!.requestSerialize as (value: object) => Buffer,
    inferenceService.ModelStreamInfer!.responseDeserialize as (bytes: Buffer) => object,
  ) as ClientDuplexStream<object, { error_message?: string; infer_response?: Response }>;
  const answers: { error_message?: string; infer_response?: Response }[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('data', (answer) => answers.push(answer as (typeof answers)[number]));
    stream.on('end', resolve);
    stream.on('error', reject);
  });
  stream.write(raw({ id: 'a' }));
  stream.write(raw({ id: 'b', model_name: 'x' }));
  stream.write(raw({ id: 'c', parameters: { depth: { int64_param: 1 } } }));
  stream.end();
  await ended;
  expect(answers.map(({ infer_response }) => infer_response?.id)).toEqual(['a', undefined, 'c']);
  expect(answers[1]!.error_message).toMatch(/no model x/);
  expect(answers[0]!.infer_response!.raw_output_contents[0]).toHaveLength(4 * 24 * N);
});

describe('the server', () => {
  it('describes itself and its models', async () => {
    expect(await call('ServerMetadata', {})).toMatchObject({ name: 'stopwise', version: 'test' });
    expect(await call('ServerReady', {})).toEqual({ ready: true });
    expect(await call('ModelReady', { name: 'small-gray' })).toEqual({ ready: true });
    expect(await call('ModelMetadata', { name: 'small-gray' })).toMatchObject({
      inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 1, -1, -1] }],
    });
    expect(await call('ModelConfig', { name: 'small-recovery' })).toMatchObject({
      config: { max_batch_size: 4096, input: [{ data_type: 'TYPE_FP32', dims: [12] }] },
    });
    const { models } = await call<{ models: object[] }>('RepositoryIndex', {});
    expect(models).toHaveLength(3);
    await call('ModelInfer', raw({ model_name: 'small-recovery' }));
    expect(await call('ModelStatistics', { name: 'small-recovery' })).toMatchObject({
      model_stats: [{ name: 'small-recovery', inference_stats: { success: {} } }],
    });
    expect((await failure('ModelMetadata', { name: 'x' })).code).toBe(status.NOT_FOUND);
  });

  it('lists its services by reflection', async () => {
    const same = (bytes: Buffer): Buffer => bytes;
    const stream = client.makeBidiStreamRequest(
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      same,
      same,
    );
    const answer = new Promise<Buffer>((resolve, reject) => {
      stream.on('data', resolve);
      stream.on('error', reject);
    });
    // Field 7 of ServerReflectionRequest: list_services, "*".
    stream.write(Buffer.from([0x3a, 1, 0x2a]));
    expect((await answer).toString('latin1')).toContain('inference.GRPCInferenceService');
    stream.end();
  });

  it('has health, which ends when it drains', async () => {
    const check = () =>
      call<{ status: unknown }>(
        'check',
        { service: 'inference.GRPCInferenceService' },
        healthClient,
      );
    expect(await check()).toEqual({ status: 'SERVING' });
    server.drain();
    expect(await check()).toEqual({ status: 'NOT_SERVING' });
  });
});
