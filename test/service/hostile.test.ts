/** Images whose few bytes stand for many pixels: they cost what the limits permit, and nobody else waits for them. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32, deflateSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { smallFewShot, smallModels, smallRecognize, writeModels } from '../support/small.ts';
import { startProcess, type Process } from './process.ts';

const MEGAPIXELS = 40_000_000;
let models: string;
let service: Process;
beforeAll(
  async () =>
    void (models = await writeModels([...smallModels(), smallFewShot(), smallRecognize()])),
);

/** An answer, or a refusal by the request's own fault or for lack of room. */
const isHonest = (status: number): boolean =>
  status === 200 || status === 503 || (status >= 400 && status < 500);

/** Most bytes that a service ever had resident. */
const peak = ({ child }: Process): number =>
  1024 * Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]);

/** A black PNG of one bit a pixel: five kilobytes for 40 megapixels. @param text its text, compressed */
function blank(width: number, height: number, text?: Buffer): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const rows = deflateSync(Buffer.alloc((1 + Math.ceil(width / 8)) * height), { level: 9 });
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...(text ? [chunk('zTXt', Buffer.concat([Buffer.from('Comment\0\0'), text]))] : []),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A WebP of one colour in 28 bytes: each of its five prefix codes has a single symbol, so that pixels take no bits. */
function flatWebp(width: number, height: number): Buffer {
  const symbols = 0b0001_0001_0001_0001_0001n;
  const size = BigInt(width - 1) | (BigInt(height - 1) << 14n);
  const bits = Buffer.alloc(8);
  bits.writeBigUInt64LE(0x2fn | (size << 8n) | (symbols << 43n));
  const file = Buffer.alloc(28);
  file.write('RIFF', 0);
  file.writeUInt32LE(20, 4);
  file.write('WEBPVP8L', 8);
  file.writeUInt32LE(8, 16);
  bits.copy(file, 20);
  return file;
}

/** Nothing but references to references: 10^12 rectangles in half a kilobyte. */
function svgBomb(): Buffer {
  const levels = Array.from(
    { length: 12 },
    (_, i) => `<g id="g${i + 1}">${`<use href="#g${i}"/>`.repeat(10)}</g>`,
  );
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><defs><rect id="g0" width="1" height="1"/>${levels.join('')}</defs><use href="#g12"/></svg>`,
  );
}

/** An array whose header names 20,000 dimensions. */
function manyDimensions(): Buffer {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (12,${'1,'.repeat(20_000)}), }\n`;
  const start = Buffer.from('\x93NUMPY\x02\0\0\0\0\0', 'latin1');
  start.writeUInt32LE(header.length, 8);
  return Buffer.concat([start, Buffer.from(header), Buffer.alloc(48)]);
}

/** A form of very many tiny parts. */
const manyParts = (): Buffer =>
  Buffer.from(
    `${'--x\r\nContent-Disposition: form-data; name="label"\r\n\r\na\r\n'.repeat(2_000)}--x--\r\n`,
  );

const denoise = (image: Buffer, query = '', signal?: AbortSignal): Promise<Response> =>
  fetch(`${service.url}/v1/denoise${query}`, {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: new Uint8Array(image),
    ...(signal && { signal }),
  });

const recover = (): Promise<Response> =>
  fetch(`${service.url}/v1/recover`, {
    method: 'POST',
    // Another client where the service trusts its proxy: one that fills the service is bound to its share.
    headers: { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.7' },
    body: JSON.stringify({ measurements: Array.from({ length: 12 }, (_, i) => Math.sin(i)) }),
  });

describe('an image of 40 megapixels in five kilobytes', () => {
  afterEach(() => void service.child.kill('SIGKILL'));

  it.each([
    ['square', 6324, 6324],
    ['strip', MEGAPIXELS, 1],
  ])(
    'as a %s: a deadline of 1 ms is refused instead of computed for minutes',
    async (_, w, h) => {
      service = await startProcess({ MODELS_DIR: models });
      const start = performance.now();
      const answer = await denoise(blank(w, h), '?deadline_ms=1');
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({ code: 'deadline-missed' });
      // Minutes without the refusal; seconds, most of them for decoding, on a machine with nothing else to do.
      expect(performance.now() - start).toBeLessThan(45_000);
    },
    90_000,
  );

  it.runIf(process.platform === 'linux')(
    'sent sixteen times at once neither fills the memory nor delays a recovery by its compute',
    async () => {
      service = await startProcess({ MODELS_DIR: models, WORKERS: '2' });
      await recover();
      const controller = new AbortController();
      const image = blank(6324, 6324);
      const statuses: number[] = [];
      const images = Array.from({ length: 16 }, () =>
        denoise(image, '', controller.signal).then(
          ({ status }) => statuses.push(status),
          () => undefined,
        ),
      );
      const times: number[] = [];
      for (const end = performance.now() + 15_000; performance.now() < end;) {
        const start = performance.now();
        expect((await recover()).status).toBe(200);
        times.push(performance.now() - start);
        await sleep(50);
      }
      controller.abort();
      await Promise.all(images);
      expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
      expect(statuses.filter((status) => status >= 500)).toEqual([]);
      const sorted = times.sort((a, b) => a - b);
      expect(peak(service)).toBeLessThan(1.5 * 2 ** 30);
      expect(sorted[sorted.length >> 1]).toBeLessThan(500);
    },
    90_000,
  );
});

const IMAGES = ['/v1/denoise?deadline_ms=1000', '/v1/recognize?deadline_ms=1000'];
const BODIES = ['/v1/recover', '/v1/tensor?model=small-recovery', '/v1/few-shot'];
const INFER = '/v2/models/small-recovery/infer';
const DEEP = '['.repeat(100_000);

/** What is sent, of which type, to which routes. */
type Hostile = readonly [
  name: string,
  type: string,
  make: () => Buffer | Promise<Buffer>,
  routes: readonly string[],
  headers?: Readonly<Record<string, string>>,
];

const hostile: Hostile[] = [
  ['a flat WebP of 40 megapixels', 'image/webp', () => flatWebp(8000, 5000), IMAGES],
  ['a flat WebP of 16 megapixels', 'image/webp', () => flatWebp(16_000, 1000), IMAGES],
  [
    'an AVIF of 12 megapixels',
    'image/avif',
    () =>
      sharp({ create: { width: 4000, height: 3000, channels: 3, background: 'tan' } })
        .avif({ effort: 0 })
        .toBuffer(),
    IMAGES,
  ],
  ['a PNG of 40,000,000×1', 'image/png', () => blank(MEGAPIXELS, 1), IMAGES],
  [
    'a PNG with 64 MiB of text',
    'image/png',
    () => blank(8, 8, deflateSync(Buffer.alloc(2 ** 26), { level: 1 })),
    IMAGES,
  ],
  ['an SVG of 10^12 rectangles', 'image/svg+xml', svgBomb, IMAGES],
  [
    'such images in JSON',
    'application/json',
    () => {
      const [image, svg] = [flatWebp(8000, 5000), svgBomb()].map((file) => file.toString('base64'));
      return Buffer.from(
        JSON.stringify({
          support: [
            { label: 'a', image },
            { label: 'b', image: svg },
          ],
          query: [image],
        }),
      );
    },
    ['/v1/few-shot'],
  ],
  ['an array of 20,000 dimensions', 'application/x-npy', manyDimensions, BODIES],
  [
    'arrays within arrays',
    'application/json',
    () => Buffer.from(`{"measurements":${DEEP}`),
    [...BODIES, INFER],
  ],
  [
    'objects within objects',
    'application/json',
    () => Buffer.from('{"inputs":'.repeat(10_000)),
    [...BODIES, INFER],
  ],
  [
    'an object of 20,000 keys',
    'application/json',
    () =>
      Buffer.from(
        JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [i, 0]))),
      ),
    [...BODIES, INFER],
  ],
  ['a form of 2,000 parts', 'multipart/form-data; boundary=x', manyParts, ['/v1/few-shot']],
  [
    'zeros that are 100 MB once decompressed',
    'application/json',
    () => gzipSync(Buffer.alloc(1e8), { level: 1 }),
    [...BODIES, INFER],
    { 'content-encoding': 'gzip' },
  ],
];

describe.runIf(process.platform === 'linux')('sixteen at once', () => {
  beforeAll(
    async () =>
      void (service = await startProcess({
        MODELS_DIR: models,
        WORKERS: '2',
        MAX_BODY_BYTES: '4194304',
        TRUST_PROXY: '127.0.0.1',
      })),
  );
  afterAll(() => void service.child.kill('SIGKILL'));

  it.each(hostile.map(([name, ...how]) => ({ name, how })))(
    'of $name do not delay a recovery',
    async ({ how: [type, make, routes, headers] }) => {
      const body = new Uint8Array(await make());
      const statuses: number[] = [];
      let left = 16;
      const send = async (path: string): Promise<void> => {
        const answer = await fetch(service.url + path, {
          method: 'POST',
          headers: { 'content-type': type, ...headers },
          body,
        });
        await answer.arrayBuffer();
        statuses.push(answer.status);
        left--;
      };
      const sent = Promise.all(
        Array.from({ length: 16 }, (_, i) => send(routes[i % routes.length]!)),
      );
      const times: number[] = [];
      while (left > 0 || times.length < 20) {
        const start = performance.now();
        expect((await recover()).status).toBe(200);
        times.push(performance.now() - start);
        await sleep(10);
      }
      await sent;
      expect(statuses.filter((status) => !isHonest(status))).toEqual([]);
      expect(Math.max(...times)).toBeLessThan(2000);
      expect(peak(service)).toBeLessThan(2 * 2 ** 30);
    },
    60_000,
  );
});
