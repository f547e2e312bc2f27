/** How the service ends while its workers are inside native calls. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { writeModels } from '../support/small.ts';
import { metric, startProcess, until, type Process } from './process.ts';

let models: string;
let large: Buffer;
let service: Process | undefined;
beforeAll(async () => {
  models = await writeModels();
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
  large = await sharp({
    create: { width: 4000, height: 4000, channels: 3, background: '#777', noise },
  })
    .png({ compressionLevel: 1 })
    .toBuffer();
});
afterEach(() => void service?.child.kill('SIGKILL'));

/** The service with a request inside its segments, which takes far longer than these tests wait. */
async function busy(env: Record<string, string>): Promise<Process> {
  service = await startProcess({ MODELS_DIR: models, ...env });
  const { url } = service;
  void fetch(`${url}/v1/denoise?rule=fixed&depth=4`, {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: new Uint8Array(large),
  }).catch(() => undefined);
  await until(async () => (await metric(url, 'stopwise_pending_samples')) > 1);
  return service;
}

const childrenOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((id) => id !== '');

describe('the end of the service', () => {
  it('comes at once and without an abort on a second SIGTERM', async () => {
    const { child } = await busy({ MAX_MEMORY_BYTES: '2000000000' });
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const start = performance.now();
    child.kill('SIGTERM');
    expect(await exit).toEqual([null, 'SIGKILL']);
    expect(performance.now() - start).toBeLessThan(1000);
  }, 60_000);

  it.runIf(process.platform === 'linux')(
    'comes after DRAIN_TIMEOUT with its worker processes, whatever they do',
    async () => {
      const { child } = await busy({
        MAX_MEMORY_BYTES: '2000000000',
        ISOLATION: 'process',
        DRAIN_TIMEOUT: '1',
      });
      const workers = childrenOf(child.pid!);
      expect(workers).toHaveLength(1);
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      expect(await exit).toEqual([null, 'SIGKILL']);
      await until(() => Promise.resolve(workers.every((pid) => !existsSync(`/proc/${pid}`))), 2);
    },
    60_000,
  );
});
