/** The gRPC server of a small service, and a client of it. */
import { credentials, makeClientConstructor } from '@grpc/grpc-js';
import { startGrpc, type GrpcOptions, type GrpcServer } from '../../../src/server/grpc/server.ts';
import { Metrics } from '../../../src/server/metrics.ts';
import { inferenceService } from '../../../src/tasks/open-inference/grpc-messages.ts';
import type { SmallService } from '../support.ts';

export type Client = InstanceType<ReturnType<typeof makeClientConstructor>>;

export async function startSmallGrpc(
  { engine }: SmallService,
  change: Partial<GrpcOptions> = {},
): Promise<{ server: GrpcServer; client: Client }> {
  const server = await startGrpc({
    engine,
    metrics: new Metrics('test'),
    version: 'test',
    host: '127.0.0.1',
    port: 0,
    maxBodyBytes: 100_000,
    ready: () => true,
    log: () => undefined,
    ...change,
  });
  const Stub = makeClientConstructor(inferenceService, '');
  return {
    server,
    client: new Stub(`127.0.0.1:${server.port}`, credentials.createInsecure()),
  };
}
