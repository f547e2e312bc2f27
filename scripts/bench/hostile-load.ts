/** Sixteen hostile requests at once, of few bytes that stand for much: how long a recovery beside them waits. */
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32, deflateSync } from 'node:zlib';
import { send, type Shot } from './open-loop.ts';
import { quantile, round, type Row } from './row.ts';
import type { Service } from './service.ts';

const COUNT = 16;
const SECONDS = 8;
/** Between two recoveries, ms. */
const PAUSE_MS = 50;

/** What the requests of a row are, and what is sent. */
type Hostile = readonly [what: string, shot: Shot];

/** A black PNG of one bit a pixel: five kilobytes for 40 megapixels. */
function blankPng(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const rows = Buffer.alloc((1 + Math.ceil(width / 8)) * height);
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Requests of few bytes that would cost much if their claims were believed. */
function hostileShots(): Hostile[] {
  const image = (body: Buffer, type = 'png'): Shot => ({
    path: '/v1/denoise',
    body,
    contentType: `image/${type}`,
  });
  const uses = Array.from(
    { length: 30 },
    (_, i) => `<g id="g${i + 1}">${`<use href="#g${i}"/>`.repeat(10)}</g>`,
  ).join('');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg"><g id="g0"><rect width="9" height="9"/></g>${uses}<use href="#g30"/></svg>`;
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${'1,'.repeat(20_000)})}\n`;
  const npy = Buffer.alloc(12 + header.length);
  npy.write('\x93NUMPY\x02\0', 'latin1');
  npy.writeUInt32LE(header.length, 8);
  npy.write(header, 12);
  const brackets = Buffer.from(`{"measurements":${'['.repeat(5_000_000)}`);
  const recover = (body: Buffer, contentType: string): Shot => ({
    path: '/v1/recover',
    body,
    contentType,
  });
  return [
    ['images of 6324×6324', image(blankPng(6324, 6324))],
    ['images of 40,000,000×1', image(blankPng(40_000_000, 1))],
    ['SVG that repeats itself', image(Buffer.from(svg), 'svg+xml')],
    ['.npy of 20,000 dimensions', recover(npy, 'application/x-npy')],
    ['JSON of 5,000,000 brackets', recover(brackets, 'application/json')],
  ];
}

/** A row for each kind; requests that are not answered in time are given up, as their clients would. */
export async function hostileRows(service: Service, recover: Shot): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [what, shot] of hostileShots()) rows.push(await beside(service, recover, what, shot));
  return rows;
}

async function beside(service: Service, recover: Shot, what: string, shot: Shot): Promise<Row> {
  const agent = new Agent({ keepAlive: true });
  const end = performance.now() + 1000 * SECONDS;
  const sent = Array.from({ length: COUNT }, () =>
    send(service.url, agent, { ...shot, patienceMs: 1000 * SECONDS }),
  );
  const waits: number[] = [];
  while (performance.now() < end) {
    const { status, ms } = await send(service.url, agent, recover);
    waits.push(status === 200 ? ms : Number.POSITIVE_INFINITY);
    await sleep(PAUSE_MS);
  }
  const statuses = (await Promise.all(sent)).map(({ status }) => status || 'given up');
  agent.destroy();
  return {
    benchmark: 'overload',
    what: `a recovery beside ${COUNT} ${what}: p99`,
    value: round(quantile(waits, 0.99) / 1000),
    unit: 's',
    target: '≤ 0.5',
    detail: `${(shot.body.length / 1000).toFixed(1)} kB each: ${count(statuses)}`,
  };
}

const count = (values: readonly (number | string)[]): string =>
  [...new Set(values)]
    .map((value) => `${value} ×${values.filter((one) => one === value).length}`)
    .join(', ');
