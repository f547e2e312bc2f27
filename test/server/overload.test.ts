/** Limits of memory, and who a client is, over HTTP. */
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Problem } from '../../src/errors.ts';
import { buildApp } from '../../src/server/app.ts';
import { Metrics } from '../../src/server/metrics.ts';
import { startSmallService, type SmallService } from './support.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const PNG_TYPE = { 'content-type': 'image/png' };
let service: SmallService;
afterEach(() => service.close());

const image = (side: number, channels: 3 | 4 = 3): Promise<Buffer> =>
  sharp({ create: { width: side, height: side, channels, background: '#777' } })
    .png()
    .toBuffer();
const denoise = (payload: Buffer, query = '') =>
  service.app.inject({
    method: 'POST',
    url: `/v1/denoise${query}`,
    payload,
    headers: PNG_TYPE,
  });
const measurements = JSON.stringify({ measurements: Array.from({ length: 12 }, Math.sin) });

describe('the memory of requests', () => {
  it('bounds a body by its declared length, before it is read', async () => {
    service = await startSmallService({ maxMemoryBytes: 16_000_000 });
    const answer = await service.app.inject({
      method: 'POST',
      url: '/v1/recover',
      payload: '{}',
      headers: { ...JSON_TYPE, 'content-length': '3000000' },
    });
    expect(answer.statusCode).toBe(413);
    expect(answer.json()).toMatchObject({
      code: 'too-large',
      detail: expect.stringMatching(/6\.0 MB.*4\.0 MB.*MAX_MEMORY_BYTES/) as string,
    });
  });

  it('bounds an image by its header, before it is decoded, and says how large it may be', async () => {
    service = await startSmallService({ maxMemoryBytes: 16_000_000 });
    const answer = await denoise(await image(900));
    expect(answer.statusCode).toBe(413);
    expect(answer.json()).toMatchObject({
      code: 'too-large',
      detail: expect.stringMatching(/22 MB of memory; at most 12 MB.*MAX_MEMORY_BYTES/) as string,
    });
    expect((await denoise(await image(300))).statusCode).toBe(200);
  });

  it('lets images wait for each other, and is all free afterwards', async () => {
    service = await startSmallService({ maxMemoryBytes: 32_000_000 });
    const { memory } = service.engine;
    let most = 0;
    const grant = memory.grant.bind(memory);
    vi.spyOn(memory, 'grant').mockImplementation((bytes) => {
      grant(bytes);
      most = Math.max(most, memory.held);
    });
    const picture = await image(700);
    const answers = await Promise.all(Array.from({ length: 6 }, () => denoise(picture)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(most).toBeGreaterThan(13_000_000);
    expect(most).toBeLessThanOrEqual(32_000_000);
    expect(memory.held).toBe(0);
  });

  it('is given back by requests that fail', async () => {
    service = await startSmallService();
    const answers = [
      await denoise(Buffer.from('no image')),
      await denoise((await image(300)).subarray(0, 200)),
      await denoise(await image(300), '?rule=fixed&depth=3'),
    ];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([400, 400, 200]);
    expect(service.engine.memory.held).toBe(0);
    expect(service.engine.pending).toBe(0);
    expect(service.engine.pendingSeconds).toBe(0);
  });
});

describe('a service that is full', () => {
  it.each(['/v1/recover', '/v2/models/small-recovery/infer'])(
    'refuses %s before the body is read, at the price of its headers',
    async (path) => {
      service = await startSmallService();
      const admit = vi.spyOn(service.engine, 'admit').mockImplementation(() => {
        throw new Problem('overloaded', 'full');
      });
      await service.app.listen({ port: 0, host: '127.0.0.1' });
      const socket = connect((service.app.server.address() as AddressInfo).port, '127.0.0.1');
      socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      expect(answer.toString()).toMatch(/^HTTP\/1.1 429 /);
      expect(admit).toHaveBeenCalledWith(
        expect.objectContaining({ units: 500_000, client: '127.0.0.1' }),
      );
      expect(service.engine.memory.held).toBe(0);
    },
  );
});

describe('a client', () => {
  const asked = async (trustProxy: boolean | string): Promise<string | undefined> => {
    const { engine } = service;
    const app = await buildApp({
      engine,
      metrics: new Metrics('test'),
      modelsDir: 'models',
      maxBodyBytes: 1_000_000,
      version: 'test',
      logLevel: 'silent',
      trustProxy,
      draining: () => false,
    });
    const perform = vi.spyOn(engine, 'perform');
    await app.inject({
      method: 'POST',
      url: '/v1/recover?deadline_ms=5000',
      payload: measurements,
      headers: { ...JSON_TYPE, 'x-forwarded-for': '10.1.2.3' },
      remoteAddress: '192.0.2.1',
    });
    await app.close();
    expect(perform.mock.lastCall?.[1]).toMatchObject({
      kind: 'sparse-recovery',
      bytes: measurements.length,
      deadlineMs: 5000,
    });
    return perform.mock.lastCall?.[1]?.client;
  };

  it('is the address of the connection, or what a trusted proxy forwards', async () => {
    service = await startSmallService();
    expect(await asked(false)).toBe('192.0.2.1');
    expect(await asked('192.0.2.1')).toBe('10.1.2.3');
    expect(await asked('198.51.100.7')).toBe('192.0.2.1');
  });

  it('sees the queue as a metric in seconds, above 0 while a request is in flight', async () => {
    service = await startSmallService();
    const pendingSeconds = async (): Promise<number> => {
      const { payload } = await service.app.inject({ method: 'GET', url: '/metrics' });
      return Number(/^stopwise_pending_seconds (\S+)$/m.exec(payload)?.[1]);
    };
    expect(await pendingSeconds()).toBe(0);
    const picture = await image(700);
    let isAnswered = false;
    const answers = Promise.all(Array.from({ length: 4 }, () => denoise(picture)));
    void answers.finally(() => (isAnswered = true));
    const seen: number[] = [];
    while (!isAnswered) {
      seen.push(await pendingSeconds());
      await nextTurn();
    }
    expect((await answers).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200]);
    expect(Math.max(...seen)).toBeGreaterThan(0);
    expect(await pendingSeconds()).toBe(0);
  });
});
