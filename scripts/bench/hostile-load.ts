/** Sixteen images of 40 megapixels in a few kilobytes, at once: what they hold, and how long a recovery beside them waits. */
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { send, type Shot } from './open-loop.ts';
import { quantile, round, type Row } from './row.ts';
import type { Service } from './service.ts';

const COUNT = 16;
const SIDE = 6324;
const SECONDS = 10;
/** Between two recoveries, ms. */
const PAUSE_MS = 50;

/** The rows; requests that are not answered after ten seconds are given up, as their clients would. */
export async function hostileRows(service: Service, recover: Shot): Promise<Row[]> {
  const size = { width: SIDE, height: SIDE, channels: 3, background: 'black' } as const;
  const body = await sharp({ create: size }).png({ palette: true, colours: 2 }).toBuffer();
  const large = { path: '/v1/denoise', body, contentType: 'image/png' };
  const agent = new Agent({ keepAlive: true });
  const end = performance.now() + 1000 * SECONDS;
  const sent = Array.from({ length: COUNT }, () =>
    send(service.url, agent, { ...large, patienceMs: 1000 * SECONDS }),
  );
  const waits: number[] = [];
  while (performance.now() < end) {
    const { status, ms } = await send(service.url, agent, recover);
    waits.push(status === 200 ? ms : Number.POSITIVE_INFINITY);
    await sleep(PAUSE_MS);
  }
  const statuses = (await Promise.all(sent)).map(({ status }) => status || 'given up');
  agent.destroy();
  return [
    {
      benchmark: 'overload',
      what: `a recovery beside ${COUNT} images of 40 megapixels: p99`,
      value: round(quantile(waits, 0.99) / 1000),
      unit: 's',
      target: '≤ 0.5',
      detail: `images of ${(body.length / 1000).toFixed(1)} kB: ${count(statuses)}`,
    },
  ];
}

const count = (values: readonly (number | string)[]): string =>
  [...new Set(values)]
    .map((value) => `${value} ×${values.filter((one) => one === value).length}`)
    .join(', ');
