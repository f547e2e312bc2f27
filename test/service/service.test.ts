import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { writeModels } from '../support/small.ts';
import { metric, startProcess, until, type Process } from './process.ts';

let models: string;
/** An image that keeps a worker busy for a second or so. */
let large: Buffer;
const running: Process[] = [];
beforeAll(async () => {
  models = await writeModels();
  large = await sharp({
    create: {
      width: 2400,
      height: 2000,
      channels: 3,
      background: '#777',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  })
    .png({ compressionLevel: 1 })
    .toBuffer();
});
afterEach(() => {
  for (const { child } of running.splice(0)) child.kill('SIGKILL');
});

async function start(env: Record<string, string> = {}, args?: string[]): Promise<Process> {
  const started = await startProcess({ MODELS_DIR: models, ...env }, args);
  running.push(started);
  return started;
}

const denoise = (url: string, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/v1/denoise?rule=fixed&depth=4`, {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: new Uint8Array(large),
    ...(signal && { signal }),
  });
const recover = (url: string): Promise<Response> =>
  fetch(`${url}/v1/recover`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ measurements: Array.from({ length: 12 }, (_, i) => Math.sin(i)) }),
  });

describe('the service as a process', () => {
  it('answers, says what it serves, and refuses a damaged bundle by name', async () => {
    const folder = await writeModels();
    await rm(join(folder, 'small-gray', 'layer-03.onnx'));
    const service = await start({ MODELS_DIR: folder });
    expect(service.said()).toMatch(/the model small-gray is refused: .*layer-03\.onnx is missing/);
    const answer = await recover(service.url);
    expect(answer.status).toBe(200);
    expect(((await answer.json()) as { samples: unknown[] }).samples).toHaveLength(1);
    const { models: served } = (await (await fetch(`${service.url}/v1/models`)).json()) as {
      models: { name: string }[];
    };
    expect(served.map(({ name }) => name).sort()).toEqual(['small-color', 'small-recovery']);
  });

  it('on SIGTERM turns not ready, goes on answering for DRAIN_DELAY, finishes what it accepted, and exits with 0', async () => {
    const service = await start({ DRAIN_DELAY: '1' });
    const accepted = denoise(service.url);
    await until(async () => (await metric(service.url, 'stopwise_pending_samples')) > 0);
    service.child.kill('SIGTERM');
    await until(async () => (await fetch(`${service.url}/health/ready`)).status === 503);
    expect((await recover(service.url)).status).toBe(200);
    const answer = await accepted;
    expect(answer.status).toBe(200);
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(1000);
    expect(await service.ended).toBe(0);
    await expect(recover(service.url)).rejects.toThrow();
  }, 30_000);

  it('frees the work of a client that left, and counts it', async () => {
    const service = await start();
    const controller = new AbortController();
    const left = denoise(service.url, controller.signal).catch(
      (error: unknown) => (error as Error).name,
    );
    await until(async () => (await metric(service.url, 'stopwise_pending_samples')) > 1);
    controller.abort();
    expect(await left).toBe('AbortError');
    await until(async () => (await metric(service.url, 'stopwise_pending_samples')) === 0, 1);
    expect(await metric(service.url, 'stopwise_requests_total{model="",outcome="cancelled"}')).toBe(
      1,
    );
    expect((await recover(service.url)).status).toBe(200);
  }, 30_000);

  it('lets a small request pass a large image', async () => {
    const service = await start();
    const big = denoise(service.url);
    await until(async () => (await metric(service.url, 'stopwise_pending_samples')) > 1);
    const first = await Promise.race([
      big.then(() => 'large'),
      recover(service.url).then(() => 'small'),
    ]);
    expect(first).toBe('small');
    expect((await big).status).toBe(200);
  }, 30_000);

  it('survives a client that sends half a body and goes', async () => {
    const service = await start();
    const half = request(`${service.url}/v1/denoise`, {
      method: 'POST',
      headers: { 'content-type': 'image/png', 'content-length': large.length },
    });
    half.on('error', () => undefined);
    half.write(large.subarray(0, 5000));
    await sleep(100);
    half.destroy();
    await sleep(100);
    expect((await recover(service.url)).status).toBe(200);
  });

  it('starts by npm’s own script, and SIGTERM reaches it there', async () => {
    const service = await start({}, ['scripts/run.mjs', 'main']);
    expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
    service.child.kill('SIGTERM');
    expect(await service.ended).toBe(0);
  });

  const noCuda = /The cuda provider is unavailable: .*docs\/gpu\.md.* set EXECUTION_PROVIDER=cpu\./;
  it.skipIf(existsSync('/dev/nvidia0')).each(['thread', 'process'])(
    'does not start on a provider that is not there: %s',
    async (isolation) => {
      await expect(start({ EXECUTION_PROVIDER: 'cuda', ISOLATION: isolation })).rejects.toThrow(
        noCuda,
      );
    },
  );

  it('ends where it cannot listen', async () => {
    const { port } = new URL((await start()).url);
    await expect(start({ PORT: port })).rejects.toThrow(/ended with 1: .*EADDRINUSE/s);
  });

  it.each([
    [{ PORT: '70000' }, /PORT/],
    [{ MODELS_DIR: '/nowhere/models' }, /no folder of models at \/nowhere\/models/],
  ])('does not start with %j, and says why', async (env, says) => {
    await expect(start(env)).rejects.toThrow(says);
  });
});
