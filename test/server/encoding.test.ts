import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSmallService, type SmallService } from './support.ts';

let service: SmallService;
beforeAll(async () => (service = await startSmallService()));
afterAll(() => service.close());

const text = JSON.stringify({ measurements: Array.from({ length: 12 }, (_, i) => i / 12) });
const post = (payload: Buffer, encoding: string) =>
  service.app.inject({
    method: 'POST',
    url: '/v1/recover',
    payload,
    headers: { 'content-type': 'application/json', 'content-encoding': encoding },
  });

describe('Content-Encoding', () => {
  it.each([
    ['gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
    ['identity', Buffer.from(text)],
  ])('%s is decoded', async (encoding, body) => {
    const answer = await post(body, encoding);
    expect([answer.statusCode, answer.json<{ signals: unknown[] }>().signals?.length]).toEqual([
      200, 1,
    ]);
  });

  it.each([
    ['zstd', Buffer.from(text), 415, /Content-Encoding is zstd/],
    ['gzip', Buffer.from(text), 400, /not gzip/],
    ['gzip', gzipSync(text).subarray(0, -12), 400, /not gzip/],
    ['gzip', gzipSync(Buffer.alloc(40_000_000, 32)), 413, /more than 4000000 bytes/],
  ])('%s is refused where it cannot be decoded', async (encoding, body, status, sentence) => {
    const answer = await post(body, encoding);
    expect([answer.statusCode, answer.json<{ detail: string }>().detail]).toEqual([
      status,
      expect.stringMatching(sentence),
    ]);
  });
});

it('a form is refused with any Content-Encoding', async () => {
  const answer = await service.app.inject({
    method: 'POST',
    url: '/v1/denoise',
    payload: gzipSync('--a\r\n'),
    headers: { 'content-type': 'multipart/form-data; boundary=a', 'content-encoding': 'gzip' },
  });
  expect([answer.statusCode, answer.json<{ detail: string }>().detail]).toEqual([
    415,
    expect.stringMatching(/forms are taken without Content-Encoding/),
  ]);
});

describe('timeouts', () => {
  it('are set on the server', () => {
    const { requestTimeout, headersTimeout, keepAliveTimeout } = service.app.server;
    expect([requestTimeout, headersTimeout, keepAliveTimeout]).toEqual([120_000, 20_000, 75_000]);
  });
});
