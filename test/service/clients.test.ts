/** Two clients behind a trusted proxy: what one sends does not shut out the other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeModels } from '../support/small.ts';
import { metric, startProcess, type Process } from './process.ts';

let service: Process;
beforeAll(async () => {
  service = await startProcess({ MODELS_DIR: await writeModels(), TRUST_PROXY: '127.0.0.1' });
});
afterAll(() => void service.child.kill('SIGKILL'));

const row = Array.from({ length: 12 }, (_, i) => Math.sin(i));

/** Recovers rows for the client that a proxy names. */
async function recover(client: string, rows: number, signal?: AbortSignal): Promise<number> {
  const answer = await fetch(`${service.url}/v1/recover?rule=fixed&depth=5`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': client },
    body: JSON.stringify({ measurements: Array.from({ length: rows }, () => row) }),
    ...(signal && { signal }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

it('4,096 rows at a time of one client leave the other its share', async () => {
  const controller = new AbortController();
  const statuses: number[] = [];
  const greedy = async (): Promise<void> => {
    while (!controller.signal.aborted) {
      const status = await recover('192.0.2.1', 4096, controller.signal).catch(() => undefined);
      if (status !== undefined) statuses.push(status);
    }
  };
  const all = Array.from({ length: 12 }, greedy);
  await sleep(500);
  const times: number[] = [];
  let most = 0;
  for (let i = 0; i < 30; i++) {
    const start = performance.now();
    // Never refused, though the other client gets 429 for what is beyond its share.
    expect(await recover('192.0.2.2', 1)).toBe(200);
    times.push(performance.now() - start);
    most = Math.max(most, await metric(service.url, 'stopwise_pending_samples'));
    await sleep(50);
  }
  controller.abort();
  await Promise.all(all);
  expect(most).toBeGreaterThan(1000);
  expect(statuses).toContain(429);
  expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
  expect(Math.max(...times)).toBeLessThan(3000);
}, 60_000);
