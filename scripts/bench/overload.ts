/** Open-loop load at once, three times and ten times what the machine holds. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import { cleanImages, defaultBundle, mixedMeasurements, noisySquare, toPng } from './material.ts';
import { closedLoop, openLoop, type Answer, type Shot } from './open-loop.ts';
import { quantile, round, type Bench, type BenchOptions, type Row } from './row.ts';
import { hostileRows } from './hostile-load.ts';
import { IMAGE_ENV, peakMemory, startService, type Service } from './service.ts';

const SECONDS = 6;
const CONNECTIONS = 16;
const FACTORS = [1, 3, 10];
/** Ten times as many single measurements are more requests than the generator can send beside the service. */
const SINGLE_FACTORS = [1, 3];
const MANY = 64;
const DEADLINE_MS = 500;
/** Goodput that is to be reached, by factor. */
const GOODPUT: Readonly<Record<number, string>> = { 3: '≥ 95', 10: '≥ 90' };

export const overload: Bench = {
  name: 'overload',
  about:
    'Open-loop load at 1, 3 and 10 times the measured peak, recovery and 256×256 images: goodput, p99 of accepted images, deadlines, depth, memory.',
  async run(options) {
    const folder = await onlyDefaults(options);
    const service = await startService(folder, IMAGE_ENV);
    try {
      const { recover, recoverMany, denoise } = await shots(options);
      const images = await load(service, 'images', denoise, FACTORS, true);
      const single = await load(service, 'recoveries', recover, SINGLE_FACTORS);
      const many = await load(service, `recoveries of ${MANY}`, recoverMany, FACTORS);
      const deadlines = await keptDeadlines(service, denoise, images.peak);
      const memory = {
        benchmark: 'overload',
        what: 'most resident memory',
        value: round((await peakMemory(service.pid)) / 2 ** 30),
        unit: 'GiB',
        target: '≤ 1.4',
      };
      const hostile = await hostileRows(service, recover);
      const after = { ...memory, what: `${memory.what}, hostile requests included` };
      const value = round((await peakMemory(service.pid)) / 2 ** 30);
      return [
        ...[...images.rows, ...single.rows, ...many.rows, ...deadlines, memory],
        ...[...hostile, { ...after, value }],
      ];
    } finally {
      await service.close();
      await rm(folder, { recursive: true });
    }
  },
};

/** A folder with the two bundles that are loaded here: memory is that of a service which serves these. */
async function onlyDefaults({ modelsDir }: BenchOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-'));
  for (const task of ['sparse-recovery', 'denoise'] as const) {
    const { manifest, directory } = await defaultBundle(modelsDir, task);
    await cp(directory, join(folder, manifest.name), { recursive: true });
  }
  return folder;
}

async function shots(options: BenchOptions) {
  const { manifest } = await defaultBundle(options.modelsDir, 'sparse-recovery');
  const matrix = await matrixOf(manifest, options.modelsDir);
  const recover = (count: number): Shot => ({
    path: '/v1/recover',
    body: Buffer.from(mixedMeasurements(matrix, count).buffer),
    contentType: 'application/octet-stream',
  });
  const clean = (await cleanImages(options))[0]!;
  return {
    recover: recover(1),
    recoverMany: recover(MANY),
    denoise: {
      path: '/v1/denoise',
      body: Buffer.from(await toPng(noisySquare(clean, 256, 35))),
      contentType: 'image/png',
    },
  };
}

/** An answer that counts: at the first exit that computes, deeper, or where the policy stopped it. */
const isGood = ({ status, headers }: Answer): boolean =>
  status === 200 && (Number(headers['x-stop-depth']) > 0 || headers['x-stop-reason'] === 'policy');

async function load(
  service: Service,
  name: string,
  shot: Shot,
  factors: readonly number[],
  isBounded = false,
): Promise<{ peak: number; rows: Row[] }> {
  await closedLoop(service.url, shot, CONNECTIONS, 2);
  const peak = await closedLoop(service.url, shot, CONNECTIONS, SECONDS);
  const rows: Row[] = [];
  for (const factor of factors) {
    const start = performance.now();
    const answers = await openLoop(service.url, shot, factor * peak, SECONDS);
    const seconds = (performance.now() - start) / 1000;
    const good = answers.filter(isGood);
    const accepted = answers.filter(({ status }) => status === 200);
    const unexpected = answers.filter(({ status }) => ![200, 429, 503].includes(status)).length;
    const depths = good.map(({ headers }) => Number(headers['x-stop-depth']));
    rows.push(
      {
        benchmark: 'overload',
        what: `${name} at ${factor}×: goodput of peak`,
        value: round((100 * good.length) / seconds / peak),
        unit: '%',
        ...(GOODPUT[factor] !== undefined && { target: GOODPUT[factor] }),
        detail: `peak ${round(peak)}/s; mean depth ${round(mean(depths))}; ${unexpected} failed`,
      },
      {
        benchmark: 'overload',
        what: `${name} at ${factor}×: p99 of the accepted`,
        value: round(
          quantile(
            accepted.map(({ ms }) => ms),
            0.99,
          ) / 1000,
        ),
        unit: 's',
        ...(isBounded && { target: '≤ 3' }),
        detail: `from arrival to the end of compute: ${round(quantile(accepted.map(computed), 0.99) / 1000)} s`,
      },
    );
  }
  return { peak, rows };
}

/** Images at three times the peak with a deadline: kept by the accepted, and how late the latest is. */
async function keptDeadlines(service: Service, denoise: Shot, peak: number): Promise<Row[]> {
  const shot = { ...denoise, path: `${denoise.path}?deadline_ms=${DEADLINE_MS}` };
  const answers = await openLoop(service.url, shot, 3 * peak, SECONDS);
  const times = answers.filter(({ status }) => status === 200).map(computed);
  const kept = times.filter((ms) => ms <= DEADLINE_MS).length;
  return [
    {
      benchmark: 'overload',
      what: `images at 3× with deadline_ms=${DEADLINE_MS}: kept by the accepted`,
      value: round((100 * kept) / times.length, 4),
      unit: '%',
      target: '≥ 99',
      detail: `${times.length} of ${answers.length} accepted; the latest after ${round(Math.max(...times))} ms`,
    },
  ];
}

/** From arrival to the end of compute, ms. */
function computed({ headers }: Answer): number {
  const total = /total;dur=([\d.]+)/.exec(String(headers['server-timing']));
  return Number(total?.[1]);
}

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;
