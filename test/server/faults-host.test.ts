/** Faults of the host: a read-only file system, a clock that jumps, a service that is killed and started again. */
import { spawnSync, type ChildProcess } from 'node:child_process';
import { readFile, writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startProcess, until, type Process } from '../service/process.ts';
import { smallModels, writeModels } from '../support/small.ts';

let models: string;
beforeAll(async () => {
  models = await writeModels(smallModels().filter(({ name }) => name !== 'small-gray'));
});
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

async function start(env: Record<string, string> = {}, args?: string[]): Promise<Process> {
  const service = await startProcess({ MODELS_DIR: models, LOG_REQUESTS: '0', ...env }, args);
  running.push(service.child);
  return service;
}

const preload = (name: string): string => `--require ${resolve('test/support', name)}`;
const measurements = Array.from({ length: 12 }, (_, i) => Math.sin(i));

const recover = (url: string, query = ''): Promise<Response> =>
  fetch(`${url}/v1/recover${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ measurements }),
  });

const statusOf = async (path: string): Promise<number> => {
  const answer = await fetch(path);
  await answer.arrayBuffer();
  return answer.status;
};

/** A shell command that runs the service where all file systems are mounted read-only. */
const readOnly = `mount -a -o remount,ro 2>/dev/null; for at in $(awk '{print $2}' /proc/mounts); do mount -o remount,bind,ro "$at" 2>/dev/null; done; ! touch "$0.x" 2>/dev/null`;
const isolated = (then: string): string[] => ['-m', 'sh', '-c', `${readOnly} && ${then}`, models];
const canRemount = spawnSync('unshare', isolated('true')).status === 0;
if (!canRemount) console.log('No file system can be mounted read-only here: its test is skipped.');

it.skipIf(!canRemount)(
  'on a read-only file system it starts and answers signals and images',
  async () => {
    const args = JSON.stringify(isolated('exec node dist/main.js'));
    const { url } = await start({}, [
      '-e',
      `require('child_process').spawn('unshare', ${args}, { stdio: 'inherit' })`,
    ]);
    const pid = Number(
      (await readFile(`/proc/${running[0]!.pid}/task/${running[0]!.pid}/children`, 'utf8')).trim(),
    );
    try {
      expect((await recover(url)).status).toBe(200);
      const answer = await fetch(`${url}/v1/denoise`, {
        method: 'POST',
        headers: { 'content-type': 'image/png' },
        body: new Uint8Array(await readFile('docs/samples/noisy.png')),
      });
      expect(answer.status).toBe(200);
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  },
  60_000,
);

describe.each(['thread', 'process'])(
  'a wall clock that jumps by days, ISOLATION=%s',
  (isolation) => {
    it('neither passes deadlines nor shows in times', async () => {
      const { url } = await start({
        ISOLATION: isolation,
        NODE_OPTIONS: preload('jumping-clock.cjs'),
      });
      for (let i = 0; i < 8; i++) {
        const answer = await recover(url, '?rule=fixed&depth=5&deadline_ms=20000');
        const { samples } = (await answer.json()) as {
          samples: { depth: number; reason: string }[];
        };
        expect(samples[0]).toMatchObject({ depth: 5, reason: 'fixed' });
        const times = String(answer.headers.get('server-timing')).matchAll(/dur=([-\d.e+]+)/g);
        for (const [, ms] of times) {
          expect(Number(ms)).toBeGreaterThanOrEqual(0);
          expect(Number(ms)).toBeLessThan(20_000);
        }
        await sleep(15);
      }
      expect(await statusOf(`${url}/health/ready`)).toBe(200);
    }, 60_000);
  },
);

it('after SIGKILL it starts again on the same port', async () => {
  const first = await start();
  first.child.kill('SIGKILL');
  await first.ended;
  const second = await start({ PORT: new URL(first.url).port });
  expect(second.url).toBe(first.url);
  expect((await recover(second.url)).status).toBe(200);
}, 60_000);

it('with a stuck thread it turns not ready, answers what it had accepted, and ends with an error', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-wedge-'));
  const wedge = join(folder, 'now');
  const { url, child, said } = await start({
    ...{ WORKERS: '2', WEDGE: wedge, NODE_OPTIONS: preload('wedge-thread.cjs') },
    ...{ DRAIN_DELAY: '1', DRAIN_TIMEOUT: '5' },
  });
  const ended = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));
  expect(await statusOf(`${url}/health/ready`)).toBe(200);
  await writeFile(wedge, '');
  // The watchdog waits for ten seconds.
  await until(async () => (await statusOf(`${url}/health/ready`)) === 503, 30);
  expect(await statusOf(`${url}/health/live`)).toBe(200);
  expect((await recover(url)).status).toBe(200);
  expect(await ended).toEqual({ code: null, signal: 'SIGKILL' });
  expect(said()).toMatch(/a worker thread is stuck and cannot be ended/);
  await rm(folder, { recursive: true });
}, 60_000);
