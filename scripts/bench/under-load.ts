/** The service under load over a socket: event loop delay and memory growth. */
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import { cleanImages, defaultBundle, mixedMeasurements, noisySquare, toPng } from './material.ts';
import { fewer, round, type Bench, type Row } from './row.ts';
import { load, startService, type Load, type Service } from './service.ts';

const LAG = 'nodejs_eventloop_lag_p99_seconds';

export const underLoad: Bench = {
  name: 'under-load',
  about:
    'Event loop delay with 16 connections (recovery, 256×256 images, recovery beside a 12-megapixel image); memory over 10,000 requests.',
  async run(options) {
    const { manifest } = await defaultBundle(options.modelsDir, 'sparse-recovery');
    const vector = Buffer.from(
      mixedMeasurements(await matrixOf(manifest, options.modelsDir), 1).buffer,
    );
    const clean = (await cleanImages(options))[0]!;
    const image = Buffer.from(await toPng(noisySquare(clean, 256, 35)));
    const large = Buffer.from(await toPng(noisySquare(clean, options.quick ? 1024 : 3464, 35)));
    const recover: Load = {
      path: '/v1/recover',
      body: vector,
      contentType: 'application/octet-stream',
      connections: 16,
      seconds: fewer(8, options.quick),
    };
    const denoise: Load = {
      path: '/v1/denoise',
      body: image,
      contentType: 'image/png',
      connections: 16,
      seconds: fewer(12, options.quick),
    };
    const service = await startService(options.modelsDir);
    try {
      return [
        await lag(service, '16 connections of recovery', () => load(service, recover)),
        await lag(service, '16 connections of 256×256 images', () => load(service, denoise)),
        await lag(
          service,
          `16 connections of recovery beside an image of ${options.quick ? 1 : 12} megapixels`,
          async () => {
            const [answer] = await Promise.all([
              fetch(`${service.url}/v1/denoise`, {
                method: 'POST',
                headers: { 'content-type': 'image/png' },
                body: large,
              }),
              load(service, recover),
            ]);
            if (!answer.ok) throw new Error(`The large image was answered with ${answer.status}.`);
            await answer.arrayBuffer();
          },
        ),
        await memory(
          service,
          recover,
          Buffer.from(await toPng(noisySquare(clean, 64, 35))),
          fewer(10_000, options.quick),
        ),
      ];
    } finally {
      await service.close();
    }
  },
};

/** Event loop delay, p99, during `work`; reading the metric first resets it. */
async function lag(service: Service, what: string, work: () => Promise<unknown>): Promise<Row> {
  await service.metric(LAG);
  await work();
  const value = 1000 * (await service.metric(LAG));
  return {
    benchmark: 'under-load',
    what: `${what}: event loop delay, p99`,
    value: round(value),
    unit: 'ms',
    target: '≤ 25',
  };
}

async function memory(
  service: Service,
  { path, body, contentType }: Load,
  image: Buffer,
  count: number,
): Promise<Row> {
  const send = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i += 8) {
      await Promise.all(
        Array.from({ length: 8 }, async (_, k) => {
          const picture = (i + k) % 20 === 0;
          const answer = await fetch(`${service.url}${picture ? '/v1/denoise' : path}`, {
            method: 'POST',
            headers: { 'content-type': picture ? 'image/png' : contentType },
            body: new Uint8Array(picture ? image : body),
          });
          await answer.arrayBuffer();
        }),
      );
    }
  };
  const resident = (): Promise<number> => service.metric('process_resident_memory_bytes');
  await send(0, 1000);
  const early = await resident();
  await send(1000, count);
  const late = await resident();
  const detail = `${Math.round(early / 2 ** 20)} MiB, ${Math.round(late / 2 ** 20)} MiB`;
  const what = `resident memory after ${count.toLocaleString('en')} mixed requests over that after 1,000`;
  return {
    benchmark: 'under-load',
    what,
    value: round(late / early),
    unit: '×',
    target: '≤ 1.05',
    detail,
  };
}
