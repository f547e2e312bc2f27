/** Which requests are logged, and how those are that end badly. */
import { rm } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { clientLeft } from '../../src/errors.ts';
import { startSmallEngine, writeModels } from '../support/small.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { serveEngine, type SmallService } from './support.ts';

type Line = Readonly<Record<string, unknown>>;

let engine: Engine;
let modelsDir: string;
let service: SmallService;
let lines: Line[];
beforeAll(async () => {
  modelsDir = await writeModels();
  await rm(join(modelsDir, 'small-gray', 'layer-03.onnx'));
  engine = await startSmallEngine({ modelsDir });
});
afterAll(() => engine.close());
afterEach(async () => {
  vi.restoreAllMocks();
  await service.close();
});

async function start(logRequests: number): Promise<void> {
  lines = [];
  const write = (text: string): void => {
    const line = JSON.parse(text) as Line;
    if (line.msg === 'request') lines.push(line);
  };
  const http = { modelsDir, logRequests, logLevel: 'info', logStream: { write } };
  service = await serveEngine(engine, http);
}

const get = (url: string) => service.app.inject({ method: 'GET', url });

describe('LOG_REQUESTS', () => {
  it('is the share of requests that are logged', async () => {
    await start(0.25);
    const random = vi.spyOn(Math, 'random');
    for (const drawn of [0.24, 0.25, 0.9, 0.1]) {
      random.mockReturnValue(drawn);
      await get(`/v2/models/small-recovery?drawn=${drawn}`);
      await get('/health/ready');
    }
    expect(lines.map(({ route, status }) => [route, status])).toEqual([
      ['/v2/models/:model', 200],
      ['/v2/models/:model', 200],
    ]);
  });

  it('leaves out no failure with 5xx, unless it is 0', async () => {
    await start(0.01);
    vi.spyOn(Math, 'random').mockReturnValue(0.99);
    expect((await get('/v2/models/small-gray')).statusCode).toBe(503);
    expect((await get('/v2/models/absent')).statusCode).toBe(404);
    expect(lines).toEqual([expect.objectContaining({ status: 503, code: 'bundle-refused' })]);

    await service.close();
    await start(0);
    expect((await get('/v2/models/small-gray')).statusCode).toBe(503);
    expect(lines).toEqual([]);
  });
});

it('says of a request that its client left', async () => {
  await start(1);
  const computing = new Promise<void>((begun) => {
    vi.spyOn(engine, 'perform').mockImplementation(
      (_pack, { signal } = {}) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(clientLeft()));
          begun();
        }),
    );
  });
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((service.app.server.address() as AddressInfo).port, '127.0.0.1');
  const headers = 'Host: a\r\nContent-Type: application/json\r\nContent-Length: 2';
  socket.write(`POST /v1/recover HTTP/1.1\r\n${headers}\r\n\r\n{}`);
  await computing;
  socket.destroy();
  await vi.waitFor(() => expect(lines).toHaveLength(1), { timeout: 10_000 });
  expect(lines[0]).toMatchObject({
    ...{ route: '/v1/recover', status: 499, code: 'client-closed-request' },
    ...{ aborted: true, bytes_in: 2 },
  });
});
