/** Clients that are slow, idle, or leave: the service cuts them off and goes on answering. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeModels } from '../support/small.ts';
import { metric, startProcess, until, type Process } from './process.ts';

let service: Process;
let port: number;
let large: Buffer;
beforeAll(async () => {
  service = await startProcess({
    MODELS_DIR: await writeModels(),
    REQUEST_TIMEOUT: '2',
    KEEP_ALIVE_TIMEOUT: '2',
  });
  port = Number(new URL(service.url).port);
  large = await sharp({
    create: {
      ...{ width: 1600, height: 1200, channels: 3, background: '#777' },
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  })
    .png({ compressionLevel: 1 })
    .toBuffer();
});
afterAll(() => service.child.kill('SIGKILL'));

/** A connection, what it has received, and when it was closed. */
async function open(): Promise<{ socket: Socket; text: () => string; closed: Promise<number> }> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  const startedAt = performance.now();
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  const closed = new Promise<number>((resolve) =>
    socket.once('close', () => resolve(performance.now() - startedAt)),
  );
  await once(socket, 'connect');
  return { socket, text: () => Buffer.concat(chunks).toString('latin1'), closed };
}

async function recover(): Promise<number> {
  const measurements = Array.from({ length: 12 }, (_, i) => Math.sin(i));
  const answer = await fetch(`${service.url}/v1/recover`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ measurements }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

const head = (length: number): string =>
  `POST /v1/denoise?rule=fixed&depth=4 HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: ${length}\r\n\r\n`;

describe('a client that sends a byte a moment', () => {
  it.each([
    ['in the headers', 'POST /v1/recover HTTP/1.1\r\nHost: a\r\n', 'x-slow: '],
    ['in the body', head(1_000_000), ''],
  ])('%s is cut off with 408', async (_, first, then) => {
    const { socket, text, closed } = await open();
    socket.write(first + then);
    const drip = setInterval(() => socket.writable && socket.write('a'), 100);
    const ms = await closed;
    clearInterval(drip);
    expect(text()).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"timeout"/);
    expect(ms).toBeGreaterThan(1_500);
    expect(ms).toBeLessThan(6_000);
    expect(await recover()).toBe(200);
  });

  it('or nothing at all, or nothing more after an answer, is cut off', async () => {
    const silent = await open();
    const finished = await open();
    finished.socket.write('GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await silent.closed).toBeLessThan(6_000);
    expect(await finished.closed).toBeLessThan(6_000);
    expect(finished.text()).toMatch(/^HTTP\/1\.1 200 /);
  });
});

it('1,000 idle connections leave room for others', async () => {
  const idle = await Promise.all(Array.from({ length: 1_000 }, open));
  const startedAt = performance.now();
  expect(await Promise.all(Array.from({ length: 10 }, recover))).toEqual(Array(10).fill(200));
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  for (const { socket } of idle) socket.destroy();
  expect(await recover()).toBe(200);
}, 30_000);

describe('a client that leaves', () => {
  const pending = () => metric(service.url, 'stopwise_pending_samples');
  /** Sends so many bytes of a request, waits, and leaves. */
  const stages: readonly [when: string, bytes: number, wait: () => Promise<unknown>][] = [
    ['in the headers', 40, () => sleep(50)],
    ['in the middle of the body', 100_000, () => sleep(50)],
    ['while the body is decoded', Infinity, () => until(async () => (await pending()) > 0, 2)],
    ['during compute', Infinity, () => until(async () => (await pending()) > 1, 2)],
  ];
  it.each(stages)('%s costs nothing more', async (_, bytes, wait) => {
    const { socket } = await open();
    const all = Buffer.concat([Buffer.from(head(large.length)), large]);
    socket.write(all.subarray(0, Math.min(bytes, all.length)));
    await wait();
    socket.destroy();
    await until(async () => (await pending()) === 0, 5);
    expect(await recover()).toBe(200);
  });

  it('in the middle of the answer costs nothing more', async () => {
    const { socket } = await open();
    socket.write(Buffer.concat([Buffer.from(head(large.length)), large]));
    await once(socket, 'data');
    socket.destroy();
    await until(async () => (await pending()) === 0, 5);
    expect(await recover()).toBe(200);
  });
});
