/** What a replica needs: memory and CPU time, by workers, models and size of the images. */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBundles } from '../../src/bundle/read.ts';
import { encodeImage } from '../../src/codecs/images.ts';
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import { cleanImages, defaultBundle, mixedMeasurements, noisySquare } from './material.ts';
import { closedLoop, type Shot } from './open-loop.ts';
import { round, type Bench, type BenchOptions, type Row } from './row.ts';
import { IMAGE_ENV, startService, type Service } from './service.ts';

const WORKERS = [1, 2];
/** Sides of square colour images, pixels; the last has 12 megapixels. */
const SIDES = [256, 512, 3464];
const SIGMA = 15;
const SAMPLE_MS = 50;
/** The kernel's clock ticks a second, in which it counts CPU time. */
const TICKS = 100;

export const sizing: Bench = {
  name: 'sizing',
  about:
    'Memory idle and at peak and CPU a request, by workers, models and size of colour images: recovery, 256², 512², 12 megapixels (not with --quick).',
  async run(options) {
    if (process.platform !== 'linux') throw new Error('sizing reads /proc, which only Linux has.');
    const folder = await onlyDefaults(options.modelsDir);
    const shots = await makeShots(options);
    const rows: Row[] = [];
    try {
      for (const workers of WORKERS) {
        rows.push(await idleWithAll(options.modelsDir, workers));
        rows.push(...(await underLoad(folder, shots, workers, options.quick ? 3 : 8)));
      }
    } finally {
      await rm(folder, { recursive: true });
    }
    return rows;
  },
};

/** A folder with the defaults alone. */
async function onlyDefaults(modelsDir: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-sizing-'));
  const { bundles } = await loadBundles(modelsDir);
  for (const { manifest, directory } of bundles)
    if (manifest.default) await cp(directory, join(folder, manifest.name), { recursive: true });
  return folder;
}

async function makeShots(options: BenchOptions): Promise<[string, Shot][]> {
  const { manifest } = await defaultBundle(options.modelsDir, 'sparse-recovery');
  const vector = mixedMeasurements(await matrixOf(manifest, options.modelsDir), 1);
  const shots: [string, Shot][] = [
    [
      'a signal',
      {
        path: '/v1/recover',
        body: Buffer.from(vector.buffer),
        contentType: 'application/octet-stream',
      },
    ],
  ];
  for (const side of options.quick ? SIDES.slice(0, -1) : SIDES)
    shots.push([
      side > 1000 ? '12 MP' : `${side}×${side}`,
      {
        path: '/v1/denoise',
        body: await colourJpeg(options, side),
        contentType: 'image/jpeg',
        patienceMs: 600_000,
      },
    ]);
  return shots;
}

/** The sample with other noise in each channel. */
async function colourJpeg(options: BenchOptions, side: number): Promise<Buffer> {
  const clean = (await cleanImages(options))[0]!;
  const data = new Float32Array(3 * side * side);
  for (const channel of [0, 1, 2])
    data.set(noisySquare(clean, side, SIGMA, channel + 1).data, channel * side * side);
  const image = { channels: 3, width: side, height: side, data } as const;
  const file = { format: 'jpeg', bits: 8, alpha: undefined, source: undefined } as const;
  return Buffer.from(await encodeImage({ ...image, ...file }, 'jpeg'));
}

const serve = (folder: string, workers: number): Promise<Service> =>
  startService(folder, {
    WORKERS: String(workers),
    ...IMAGE_ENV,
    // The depths that the policy chooses, however many wait.
    ...{ SHED_DEPTH: 'false', MAX_QUEUE_SECONDS: '3600', LOG_REQUESTS: '0' },
  });

async function idleWithAll(modelsDir: string, workers: number): Promise<Row> {
  const service = await serve(modelsDir, workers);
  try {
    return memoryRow(workers, 'all shipped bundles, idle', await service.memory());
  } finally {
    await service.close();
  }
}

async function underLoad(
  folder: string,
  shots: readonly (readonly [string, Shot])[],
  workers: number,
  seconds: number,
): Promise<Row[]> {
  const service = await serve(folder, workers);
  try {
    const start = await cpuSeconds(service.pid);
    const rows = [
      memoryRow(
        workers,
        'defaults, idle',
        await service.memory(),
        `${round(start)} s CPU to start`,
      ),
    ];
    for (const [name, shot] of shots) {
      const before = await cpuSeconds(service.pid);
      let peak = 0;
      const sampler = setInterval(
        () => void service.memory().then((bytes) => (peak = Math.max(peak, bytes))),
        SAMPLE_MS,
      );
      // One more than there are workers, so that the next request waits decoded.
      const began = performance.now();
      const rate = await closedLoop(service.url, shot, workers + 1, seconds);
      clearInterval(sampler);
      const answers = Math.round((rate * (performance.now() - began)) / 1000);
      const cpu = ((await cpuSeconds(service.pid)) - before) / answers;
      const detail = `${round(1000 * cpu)} ms CPU a request, ${answers} requests, ${(shot.body.length / 1e6).toPrecision(2)} MB each`;
      rows.push(memoryRow(workers, `defaults, ${name}, peak`, peak, detail));
    }
    return rows;
  } finally {
    await service.close();
  }
}

const memoryRow = (workers: number, what: string, bytes: number, detail?: string): Row => ({
  benchmark: 'sizing',
  what: `${workers} worker${workers > 1 ? 's' : ''}: ${what}`,
  value: Math.round(bytes / 2 ** 20),
  unit: 'MiB',
  ...(detail !== undefined && { detail }),
});

/** User and system time of a process and its threads so far, s. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field, the name in parentheses, may have spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
