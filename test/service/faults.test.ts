/** Faults around the service: killed workers, slow bodies at shutdown, no place to write. proxies.test.ts kills replicas. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { smallModels, smallRecognize, writeModels } from '../support/small.ts';
import { startProcess, until, type Process } from './process.ts';

let models: string;
beforeAll(async () => {
  models = await writeModels([...smallModels(), smallRecognize()]);
});
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

async function start(env: Record<string, string> = {}, limit?: string): Promise<Process> {
  const service = await startProcess({ MODELS_DIR: models, ...env }, undefined, limit);
  running.push(service.child);
  return service;
}

const body = JSON.stringify({ measurements: Array.from({ length: 12 }, (_, i) => Math.sin(i)) });

async function recover(url: string): Promise<number> {
  const answer = await fetch(`${url}/v1/recover`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** Sends requests over some connections until told to stop, and counts how they end. */
function load(url: string): () => Promise<Record<string, number>> {
  const endings: Record<string, number> = {};
  let stopped = false;
  const client = async (): Promise<void> => {
    while (!stopped) {
      const ending = String(await recover(url).catch((error: unknown) => (error as Error).message));
      endings[ending] = (endings[ending] ?? 0) + 1;
    }
  };
  const clients = Array.from({ length: 6 }, client);
  return async () => {
    stopped = true;
    await Promise.all(clients);
    return endings;
  };
}

const childrenOf = async (pid: number): Promise<number[]> =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number);

describe.skipIf(process.platform !== 'linux')('kill -9', () => {
  it('of each worker process in turn loses no request', async () => {
    const service = await start({ ISOLATION: 'process', WORKERS: '2' });
    const stop = load(service.url);
    await sleep(300);
    for (const pid of await childrenOf(service.child.pid!)) {
      process.kill(pid, 'SIGKILL');
      await until(async () => {
        const now = await childrenOf(service.child.pid!);
        return now.length === 2 && !now.includes(pid);
      }, 20);
      await until(() => Promise.resolve(/the worker was restarted/.test(service.said())), 30);
    }
    const endings = await stop();
    expect(Object.keys(endings)).toEqual(['200']);
    expect(endings['200']).toBeGreaterThan(20);
  }, 90_000);
});

describe('SIGTERM under load', () => {
  /** A connection with a request whose body has begun. */
  async function begin(url: string) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    const head = `POST /v1/recover HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    socket.write(head + body.slice(0, 20));
    await sleep(50);
    return { socket, text: () => text, closed };
  }

  it('loses nothing that was accepted', async () => {
    const service = await start({ DRAIN_DELAY: '1', WORKERS: '2' });
    const stop = load(service.url);
    await sleep(500);
    service.child.kill('SIGTERM');
    await sleep(500);
    // Still in the delay, in which the balancer learns of it: everything is answered.
    const endings = await stop();
    expect(Object.keys(endings)).toEqual(['200']);
    expect(endings['200']).toBeGreaterThan(20);
    expect(await service.ended).toBe(0);
  }, 40_000);

  it('without a delay, answers what was accepted and refuses connections', async () => {
    const service = await start({ WORKERS: '2' });
    const stop = load(service.url);
    await sleep(500);
    service.child.kill('SIGTERM');
    expect(await service.ended).toBe(0);
    const endings = await stop();
    expect(endings['200']).toBeGreaterThan(20);
    // Those that failed never were a request of the service: it has one in its log for each answer, and no other.
    const requests = (): string[] =>
      service.said().match(/"msg":"request"|"status":\d+(?=.*"msg":"request")/g) ?? [];
    await until(() => Promise.resolve(requests().length >= 2 * endings['200']!));
    expect(requests().filter((line) => line === '"status":200')).toHaveLength(endings['200']!);
    expect(requests()).toHaveLength(2 * endings['200']!);
  }, 40_000);

  it('answers a body that was under way, and cuts off one that never ends', async () => {
    const service = await start({ DRAIN_TIMEOUT: '4' });
    const slow = await begin(service.url);
    const stuck = await begin(service.url);
    const startedAt = performance.now();
    service.child.kill('SIGTERM');
    await sleep(500);
    slow.socket.write(body.slice(20));
    await slow.closed;
    expect(slow.text()).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i);
    await stuck.closed;
    await service.ended;
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  }, 40_000);
});

describe('without a place to write', () => {
  it('starts and answers with no TMPDIR', async () => {
    const service = await start({ TMPDIR: '/nowhere/at/all' });
    expect(await recover(service.url)).toBe(200);
  });

  it('writes no file: a full disk changes nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stopwise-tmp-'));
    // Every write to a file fails, as on a full disk.
    const service = await start({ TMPDIR: folder }, '-f 0');
    expect(await recover(service.url)).toBe(200);
    // More than the 100 MB from which on libvips decodes into a temporary file what it cannot read from top to bottom.
    const flat = sharp({ create: { width: 7000, height: 5000, channels: 3, background: 'tan' } });
    const images = [
      await readFile('docs/samples/noisy.png'),
      await flat.clone().png({ progressive: true, compressionLevel: 1 }).toBuffer(),
      await flat.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    ];
    for (const image of images) {
      const answer = await fetch(`${service.url}/v1/recognize`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: new Uint8Array(image),
      });
      expect(answer.status).toBe(200);
    }
    expect(await readdir(folder)).toEqual([]);
  }, 90_000);
});
