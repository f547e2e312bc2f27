/** A line in the log for each request over gRPC. */
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { OPEN_ACCESS } from '../../../src/config/access.ts';
import type { GrpcServer } from '../../../src/server/grpc/server.ts';
import { inferenceService } from '../../../src/tasks/open-inference/grpc-messages.ts';
import { startSmallService, type SmallService } from '../support.ts';
import { startSmallGrpc, type Client } from './support.ts';

type Line = Readonly<Record<string, unknown>>;

const TOKEN = 'a-token-of-sixteen-characters';
let service: SmallService;
let server: GrpcServer;
let client: Client;
let lines: Line[];
const requestLog = { share: 1, write: (line: object) => void lines.push(line as Line) };

beforeAll(async () => {
  service = await startSmallService();
  ({ server, client } = await startSmallGrpc(service, {
    access: { ...OPEN_ACCESS, apiTokens: [TOKEN] },
    requestLog,
  }));
});
afterAll(async () => {
  client.close();
  await server.close();
  await service.close();
});
beforeEach(() => {
  lines = [];
});
afterEach(() => {
  vi.restoreAllMocks();
  requestLog.share = 1;
});

const metadata = (authorization = `Bearer ${TOKEN}`): Metadata => {
  const sent = new Metadata();
  sent.set('authorization', authorization);
  sent.set('x-request-id', 'mine');
  return sent;
};
const call = (method: string, request: object, sent = metadata()): Promise<number> =>
  new Promise((resolve) => {
    (client[method] as unknown as Call).call(client, request, sent, (error) =>
      resolve(error?.code ?? 0),
    );
  });
type Call = (request: object, sent: Metadata, done: (error: ServiceError | null) => void) => void;

const infer = (depth: number, change: object = {}) => ({
  model_name: 'small-recovery',
  parameters: { depth: { int64_param: depth } },
  inputs: [{ name: 'measurements', datatype: 'FP32', shape: [1, 12] }],
  raw_input_contents: [
    Buffer.from(Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)).buffer),
  ],
  ...change,
});

it('has the fields that a request over HTTP has', async () => {
  expect(await call('ModelInfer', infer(2))).toBe(0);
  expect(lines).toEqual([
    expect.objectContaining({
      ...{ id: 'mine', method: 'gRPC', route: '/inference.GRPCInferenceService/ModelInfer' },
      ...{ status: 200, model: 'small-recovery', samples: 1 },
      ...{ depth: 2, depth_mean: 2, reason: 'fixed' },
    }),
  ]);
  for (const amount of ['queue_ms', 'compute_ms', 'ms', 'bytes_in', 'bytes_out'])
    expect(lines[0]![amount]).toBeGreaterThan(0);
  expect(lines[0]).not.toHaveProperty('aborted');
});

it('names what a request was refused for, a missing token included', async () => {
  await call('ModelInfer', infer(77));
  await call('ModelMetadata', { name: 'absent' });
  await call('ServerMetadata', {}, metadata('Bearer another'));
  expect(lines.map(({ route, status, code }) => [route, status, code])).toEqual([
    ['/inference.GRPCInferenceService/ModelInfer', 400, 'bad-parameter'],
    ['/inference.GRPCInferenceService/ModelMetadata', 404, 'unknown-model'],
    ['/inference.GRPCInferenceService/ServerMetadata', 401, undefined],
  ]);
});

it('is written for each message of a stream', async () => {
  const { path, requestSerialize, responseDeserialize } = inferenceService.ModelStreamInfer!;
  const stream = client.makeBidiStreamRequest(
    path,
    requestSerialize as (value: object) => Buffer,
    responseDeserialize as (bytes: Buffer) => object,
    metadata(),
  );
  const ended = new Promise((resolve) => stream.on('end', resolve));
  stream.on('data', () => undefined);
  stream.write(infer(3));
  stream.write(infer(1, { model_name: 'absent' }));
  stream.end();
  await ended;
  const route = '/inference.GRPCInferenceService/ModelStreamInfer';
  expect(lines).toHaveLength(2);
  expect(lines).toContainEqual(expect.objectContaining({ route, status: 200, depth: 3 }));
  expect(lines).toContainEqual(
    expect.objectContaining({ route, status: 404, code: 'unknown-model' }),
  );
});

it('says that the client left', async () => {
  const computing = new Promise<void>((begun) => {
    vi.spyOn(service.engine, 'perform').mockImplementation(() => {
      begun();
      return new Promise(() => undefined);
    });
  });
  const running = (client.ModelInfer as unknown as (...args: unknown[]) => { cancel(): void }).call(
    client,
    ...[infer(2), metadata(), () => undefined],
  );
  await computing;
  running.cancel();
  await vi.waitFor(() => expect(lines).toHaveLength(1), { timeout: 10_000 });
  expect(lines[0]).toMatchObject({ status: 499, aborted: true });
});

it('is written for the share of LOG_REQUESTS, and for each failure with 5xx', async () => {
  requestLog.share = 0.5;
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
  await call('ServerMetadata', {});
  random.mockReturnValue(0.49);
  await call('ModelReady', { name: 'small-recovery' });
  random.mockReturnValue(0.99);
  vi.spyOn(service.engine, 'perform').mockRejectedValue(new Error('broken'));
  await call('ModelInfer', infer(2));
  expect(lines.map(({ route, status }) => [String(route).split('/')[2], status])).toEqual([
    ['ModelReady', 200],
    ['ModelInfer', 500],
  ]);
});
