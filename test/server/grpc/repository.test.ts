/** gRPC: who may call, load and unload, and what is answered. */
import {
  Client,
  credentials,
  makeClientConstructor,
  Metadata,
  status,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { OPEN_ACCESS, type Access } from '../../../src/config/access.ts';
import { startGrpc, type GrpcServer } from '../../../src/server/grpc/server.ts';
import { Metrics } from '../../../src/server/metrics.ts';
import { inferenceService } from '../../../src/tasks/open-inference/grpc-messages.ts';
import { smallModels, writeModels } from '../../support/small.ts';
import { startSmallService, type SmallService } from '../support.ts';

type Call = (
  request: object,
  metadata: Metadata,
  done: (error: ServiceError | null, answer: unknown) => void,
) => void;
const TOKEN = 'a-token-of-the-operators';

let service: SmallService;
beforeAll(async () => {
  service = await startSmallService({ modelsDir: await writeModels([smallModels()[0]!]) });
});
afterAll(() => service?.close());

/** The code and text that a call ends with, on a server with this access. */
async function call(access: Access, method: string, request: object, token?: string) {
  const server: GrpcServer = await startGrpc({
    engine: service.engine,
    metrics: new Metrics('test'),
    version: 'test',
    host: '127.0.0.1',
    port: 0,
    maxBodyBytes: 100_000,
    access,
    ready: () => true,
    log: () => undefined,
  });
  const Stub = makeClientConstructor(inferenceService, '');
  const client = new Stub(`127.0.0.1:${server.port}`, credentials.createInsecure());
  const metadata = new Metadata();
  if (token) metadata.set('authorization', `Bearer ${token}`);
  const ask = (client as unknown as Client & Record<string, Call>)[method]!.bind(client);
  const ended = await new Promise<[number, string]>((resolve) =>
    ask(request, metadata, (error) => resolve(error ? [error.code, error.details] : [0, ''])),
  );
  client.close();
  await server.close();
  return ended;
}
const load = { model_name: 'small-recovery' };

it('is off without a setting, and needs the token where there is one', async () => {
  expect(await call(OPEN_ACCESS, 'RepositoryModelLoad', load)).toEqual([
    status.PERMISSION_DENIED,
    expect.stringContaining('set MANAGEMENT_TOKENS, or ALLOW_REPOSITORY=true'),
  ]);
  const access = { ...OPEN_ACCESS, managementTokens: [TOKEN] };
  const [missing] = await call(access, 'RepositoryModelLoad', load);
  const [wrong] = await call(access, 'RepositoryModelUnload', load, 'another-token-altogether');
  expect([missing, wrong]).toEqual([status.UNAUTHENTICATED, status.UNAUTHENTICATED]);
  expect([...service.engine.manifests.keys()]).toEqual(['small-recovery']);
  expect(await call(access, 'RepositoryModelUnload', load, TOKEN)).toEqual([0, '']);
  expect([...service.engine.manifests.keys()]).toEqual([]);
  expect(await call(access, 'RepositoryModelLoad', load, TOKEN)).toEqual([0, '']);
  expect([...service.engine.manifests.keys()]).toEqual(['small-recovery']);
});

it('answers with what is wrong', async () => {
  const access = { ...OPEN_ACCESS, allowRepository: true };
  expect(await call(access, 'RepositoryModelLoad', { model_name: 'x' })).toEqual([
    status.NOT_FOUND,
    'There is no folder x in the folder of models.',
  ]);
  const config = { ...load, parameters: { config: { string_param: '{}' } } };
  expect((await call(access, 'RepositoryModelLoad', config))[0]).toBe(status.INVALID_ARGUMENT);
});

it('needs the token of callers for everything but health', async () => {
  const access = { ...OPEN_ACCESS, apiTokens: [TOKEN] };
  const infer = { model_name: 'small-recovery' };
  for (const method of ['ModelInfer', 'ModelMetadata', 'RepositoryIndex', 'ServerMetadata'])
    expect((await call(access, method, infer))[0], method).toBe(status.UNAUTHENTICATED);
  expect((await call(access, 'ModelMetadata', { name: 'small-recovery' }, TOKEN))[0]).toBe(0);
  expect((await call(access, 'ModelInfer', infer, TOKEN))[0]).toBe(status.INVALID_ARGUMENT);
  expect((await call(access, 'ServerReady', {}))[0]).toBe(0);
  expect(
    (await call(access, 'ModelMetadata', { name: 'small-recovery' }, 'not-the-token-at-all'))[0],
  ).toBe(status.UNAUTHENTICATED);
});
