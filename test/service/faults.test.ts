/** Faults around the service: killed workers, slow bodies at shutdown, no place to write. proxies.test.ts kills replicas. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { writeModels } from '../support/small.ts';
import { startProcess, until, type Process } from './process.ts';

let models: string;
beforeAll(async () => {
  models = await writeModels();
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
    const image = await readFile('docs/samples/noisy.png');
    const answer = await fetch(`${service.url}/v1/denoise`, {
      method: 'POST',
      headers: { 'content-type': 'image/png' },
      body: new Uint8Array(image),
    });
    expect(answer.status).toBe(200);
    expect(await readdir(folder)).toEqual([]);
  });
});
