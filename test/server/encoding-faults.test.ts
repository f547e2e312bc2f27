/** A body that is not what its Content-Encoding says must not end the process where nobody reads it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSmallService, type SmallService } from './support.ts';

let service: SmallService;
const uncaught: unknown[] = [];
const keep = (error: unknown): void => void uncaught.push(error);
beforeAll(async () => {
  service = await startSmallService();
  process.on('uncaughtException', keep);
});
afterAll(async () => {
  process.off('uncaughtException', keep);
  await service.close();
});

it('a body that is refused by its length, and is not what it says', async () => {
  const answer = await service.app.inject({
    method: 'POST',
    url: '/v1/denoise',
    payload: Buffer.alloc(4_100_000, 'not gzip at all'),
    headers: { 'content-type': 'image/png', 'content-encoding': 'gzip' },
  });
  await sleep(50);
  expect(uncaught).toEqual([]);
  expect(answer.statusCode).toBe(413);
});

it.each([
  ['GET', '/v1/models', 'application/json', 200],
  ['GET', '/v1/recover', 'application/json', 405],
  ['DELETE', '/v1/models', 'application/json', 405],
  ['POST', '/nowhere', 'application/json', 400],
  ['POST', '/v1/recover?threshold=x', 'application/json', 400],
  ['POST', '/v1/recover', 'text/plain', 400],
] as const)('%s %s', async (method, url, type, status) => {
  const answer = await service.app.inject({
    method,
    url,
    payload: 'not gzip at all',
    headers: { 'content-type': type, 'content-encoding': 'gzip' },
  });
  await sleep(50);
  expect(uncaught).toEqual([]);
  expect(answer.statusCode).toBe(status);
});
