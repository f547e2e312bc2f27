/** Images whose few bytes stand for many pixels: they cost what the limits permit, and nobody else waits for them. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32, deflateSync } from 'node:zlib';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { writeModels } from '../support/small.ts';
import { startProcess, type Process } from './process.ts';

const MEGAPIXELS = 40_000_000;
let models: string;
let service: Process;
beforeAll(async () => void (models = await writeModels()));
afterEach(() => void service.child.kill('SIGKILL'));

/** A black PNG of one bit a pixel: five kilobytes for 40 megapixels. */
function blank(width: number, height: number): Buffer {
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
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

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
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ measurements: Array.from({ length: 12 }, (_, i) => Math.sin(i)) }),
  });

describe('an image of 40 megapixels in five kilobytes', () => {
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
      const peak = /VmHWM:\s*(\d+)/.exec(
        readFileSync(`/proc/${service.child.pid}/status`, 'utf8'),
      )![1]!;
      const sorted = times.sort((a, b) => a - b);
      expect(Number(peak) / 1024 ** 2).toBeLessThan(1.5);
      expect(sorted[sorted.length >> 1]).toBeLessThan(500);
    },
    90_000,
  );
});
