import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { writeModels } from '../support/small.ts';
import { metric, startProcess, until, type Process } from './process.ts';

const running: Process[] = [];
afterEach(() => {
  for (const { child } of running.splice(0)) child.kill('SIGKILL');
});

async function start(env: Record<string, string>): Promise<Process> {
  const started = await startProcess(env);
  running.push(started);
  return started;
}

type Line = Readonly<Record<string, unknown>>;
const linesOf = ({ said }: Process): Line[] =>
  said()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);
const requestsOf = (service: Process): Line[] =>
  linesOf(service).filter(({ msg }) => msg === 'request');

const SECRET = 0.123456789;
const recover = (url: string, query = ''): Promise<Response> =>
  fetch(`${url}/v1/recover${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ measurements: new Array<number>(12).fill(SECRET) }),
  });

it('logs one line a request with its depth, times and bytes, without the body', async () => {
  const folder = await writeModels();
  await rm(join(folder, 'small-gray', 'layer-03.onnx'));
  const service = await start({ MODELS_DIR: folder });
  const answer = await recover(service.url, '?rule=fixed&depth=3');
  const bytes = (await answer.arrayBuffer()).byteLength;
  await recover(service.url, '?model=absent');
  await fetch(`${service.url}/health/ready`);
  await until(() => Promise.resolve(requestsOf(service).length === 2));

  const [ok, refused] = requestsOf(service);
  expect(ok).toMatchObject({
    level: 30,
    ...{ method: 'POST', route: '/v1/recover', status: 200, model: 'small-recovery' },
    ...{ samples: 1, depth: 3, depth_mean: 3, reason: 'fixed', bytes_out: bytes },
    bytes_in: JSON.stringify({ measurements: new Array<number>(12).fill(SECRET) }).length,
  });
  expect(ok?.id).not.toBe(refused?.id);
  for (const time of ['queue_ms', 'compute_ms', 'ms']) expect(ok?.[time]).toBeGreaterThan(0);
  expect(refused).toMatchObject({ status: 404, code: 'unknown-model', route: '/v1/recover' });
  expect(service.said()).not.toContain(String(SECRET));

  const refusal = linesOf(service).find(({ msg }) => /small-gray is refused/.test(String(msg)));
  expect(refusal).toMatchObject({ level: 40 });
  expect(
    linesOf(service).find(({ msg }) => /^stopwise .*listening/.test(String(msg))),
  ).toMatchObject({
    provider: 'cpu',
    workers: 1,
  });

  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
  const said = linesOf(service).map(({ msg }) => msg);
  expect(said.indexOf('draining')).toBeGreaterThan(0);
  expect(said.indexOf('drained')).toBeGreaterThan(said.indexOf('draining'));
}, 90_000);

it('logs no request with LOG_REQUESTS=0, and counts a worker that was replaced', async () => {
  const service = await start({
    MODELS_DIR: await writeModels(),
    LOG_REQUESTS: '0',
    ISOLATION: 'process',
  });
  expect((await recover(service.url)).status).toBe(200);
  expect(await metric(service.url, 'stopwise_worker_restarts_total')).toBe(0);
  const { execFileSync } = await import('node:child_process');
  const [worker] = execFileSync('ps', ['-o', 'pid=', '--ppid', String(service.child.pid)])
    .toString()
    .trim()
    .split(/\s+/);
  process.kill(Number(worker), 'SIGKILL');
  await until(async () => (await metric(service.url, 'stopwise_worker_restarts_total')) === 1, 20);
  expect((await recover(service.url)).status).toBe(200);
  expect(requestsOf(service)).toEqual([]);
}, 90_000);

it('lists the choices of a setting that has some', () => {
  expect(() => readConfig({ LOG_LEVEL: 'loud' })).toThrow(/LOG_LEVEL .*: fatal, error, warn, info/);
  expect(() => readConfig({ EXECUTION_PROVIDER: 'tpu' })).toThrow(
    /EXECUTION_PROVIDER .*: auto, cpu, webgpu, cuda\.$/,
  );
  expect(() => readConfig({ ISOLATION: 'vm' })).toThrow(/ISOLATION .*: thread, process\.$/);
  expect(() => readConfig({ LOG_REQUESTS: '2' })).toThrow(/LOG_REQUESTS must be <= 1/);
});

it('goes on answering, and ends on SIGTERM, while nobody reads the log', async () => {
  const service = await start({ MODELS_DIR: await writeModels() });
  service.child.stdout.pause();
  // A line has about 300 bytes, and what is not read fits into some hundred kilobytes at most.
  for (let i = 0; i < 100; i++) {
    const answers = await Promise.all(Array.from({ length: 40 }, () => recover(service.url)));
    await Promise.all(answers.map((answer) => answer.arrayBuffer()));
    expect(answers.every(({ ok }) => ok)).toBe(true);
  }
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
}, 60_000);
