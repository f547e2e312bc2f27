/** The container limits that docs/operations.md gives, enforced by the kernel as a limit on data segments. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { startProcess, until, type Process } from './process.ts';

let service: Process;
afterEach(() => void service.child.kill('SIGKILL'));

/** The service under a limit. Data segments hold all private memory that can be written, touched or not: more than what is resident. */
const startWithin = async (bytes: number, env: Record<string, string> = {}): Promise<void> =>
  void (service = await startProcess(
    { MODELS_DIR: 'models', WORKERS: '2', ...env },
    ['dist/main.js'],
    `-d ${bytes / 1024}`,
  ));

/** Most bytes that were ever resident. */
const peak = (): number =>
  1024 *
  Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${service.child.pid}/status`, 'utf8'))?.[1]);

async function ask(image: Buffer, signal?: AbortSignal): Promise<number> {
  const answer = await fetch(`${service.url}/v1/denoise`, {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: new Uint8Array(image),
    ...(signal && { signal }),
  });
  await answer.arrayBuffer();
  return answer.status;
}
const sixteen = (send: () => Promise<number>): Promise<number[]> =>
  Promise.all(Array.from({ length: 16 }, send));

function noise(side: number): Promise<Buffer> {
  const random = new Random(1);
  const pixels = Uint8Array.from({ length: 3 * side * side }, () => 256 * random.uniform());
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
}

/** The queue is long enough for all that is sent, so that memory alone bounds it. */
const LONG_QUEUE = { MAX_QUEUE_SECONDS: '600' };

describe.skipIf(process.platform !== 'linux')('two workers', () => {
  it('answer images of 512×512, sixteen at once beside larger ones, within 1.25 GiB', async () => {
    await startWithin(1.25 * 2 ** 30, {
      MAX_PIXELS: '262144',
      MAX_MEMORY_BYTES: '268435456',
      ...LONG_QUEUE,
    });
    const [fitting, large] = await Promise.all([noise(512), noise(2000)]);
    const [taken, refused] = await Promise.all([
      sixteen(() => ask(fitting)),
      sixteen(() => ask(large)),
    ]);
    expect(taken.every((status) => [200, 429].includes(status))).toBe(true);
    expect(taken.filter((status) => status === 200).length).toBeGreaterThanOrEqual(4);
    expect(refused.every((status) => [413, 429].includes(status))).toBe(true);
    expect(await ask(fitting)).toBe(200);
    expect(peak()).toBeLessThan(1.25 * 2 ** 30);
  }, 180_000);

  it('hold images of up to 40 megapixels, sixteen at once, within 2.5 GiB by default', async () => {
    await startWithin(2.5 * 2 ** 30, LONG_QUEUE);
    const flat = (width: number, height: number, gray: boolean): Promise<Buffer> =>
      sharp({ create: { width, height, channels: 3, background: 'tan' } })
        .toColourspace(gray ? 'b-w' : 'srgb')
        .png({ compressionLevel: 1 })
        .toBuffer();
    const [gray, color, small] = await Promise.all([
      flat(8000, 5000, true),
      flat(6000, 4000, false),
      noise(64),
    ]);
    const controller = new AbortController();
    const statuses: number[] = [];
    const large = Array.from({ length: 16 }, (_, i) =>
      ask(i % 2 ? gray : color, controller.signal).then(
        (status) => statuses.push(status),
        () => statuses.push(0),
      ),
    );
    // Their compute takes minutes; decoding, which fills the memory, does not.
    let answered = 0;
    for (const end = performance.now() + 10_000; performance.now() < end; await sleep(100))
      if ((await ask(small)) === 200) answered++;
    controller.abort();
    await Promise.all(large);
    expect(answered).toBeGreaterThan(0);
    expect(statuses.filter((status) => ![0, 200, 413, 429, 503].includes(status))).toEqual([]);
    expect(statuses.some((status) => status === 0 || status === 200)).toBe(true);
    // Nothing is interrupted inside a run.
    await until(async () => (await ask(small)) === 200, 60);
    expect(peak()).toBeLessThan(2.5 * 2 ** 30);
  }, 180_000);
});
