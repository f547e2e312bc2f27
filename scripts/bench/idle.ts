/** What the service holds when it does nothing: memory with all bundles, after large images, and later; its metrics. */
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanImages, noisySquare, toPng } from './material.ts';
import { send, type Shot } from './open-loop.ts';
import { round, type Bench, type Row } from './row.ts';
import { IMAGE_ENV, startService, type Service } from './service.ts';

/** A square of 12 megapixels. */
const SIDE = 3464;
const SIGMA = 15;
const IMAGES = 2;
const LATER_MS = 600_000;
const SCRAPES = 20;

export const idle: Bench = {
  name: 'idle',
  about:
    'Memory with all bundles and two workers: idle, after two 12-megapixel images at once, ten minutes later (not with --quick); series and time of /metrics.',
  async run(options) {
    const clean = (await cleanImages(options))[0]!;
    const shot: Shot = {
      path: '/v1/denoise',
      body: Buffer.from(await toPng(noisySquare(clean, SIDE, SIGMA))),
      contentType: 'image/png',
      patienceMs: LATER_MS,
    };
    const service = await startService(options.modelsDir, { WORKERS: '2', ...IMAGE_ENV });
    try {
      const rows = [...(await metricsRows(service)), await memoryRow(service, 'idle', 450)];
      const agent = new Agent({ keepAlive: true });
      const answers = await Promise.all(
        Array.from({ length: IMAGES }, () => send(service.url, agent, shot)),
      );
      agent.destroy();
      const statuses = answers.map(({ status }) => status).join(', ');
      rows.push({
        ...(await memoryRow(service, 'after two images of 12 megapixels at once', 1536)),
        detail: `answered with ${statuses}`,
      });
      if (options.quick) return rows;
      await sleep(LATER_MS);
      return [...rows, await memoryRow(service, 'ten minutes later', 700)];
    } finally {
      await service.close();
    }
  },
};

const memoryRow = async (service: Service, when: string, most: number): Promise<Row> => ({
  benchmark: 'idle',
  what: `resident memory, all bundles, two workers: ${when}`,
  value: Math.round((await service.memory()) / 2 ** 20),
  unit: 'MiB',
  target: `≤ ${most}`,
});

/** Series of a service that was asked nothing, and the time of a scrape with the connection it takes. */
async function metricsRows({ url }: Service): Promise<Row[]> {
  const times: number[] = [];
  let series = 0;
  for (let i = 0; i < SCRAPES; i++) {
    const start = performance.now();
    const text = await (await fetch(`${url}/metrics`)).text();
    times.push(performance.now() - start);
    series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
  }
  const row = { benchmark: 'idle' };
  return [
    { ...row, what: 'series of /metrics', value: series, unit: '', target: '≤ 400' },
    {
      ...row,
      what: 'a scrape of /metrics, the shortest',
      value: round(Math.min(...times)),
      unit: 'ms',
      target: '≤ 5',
    },
  ];
}
