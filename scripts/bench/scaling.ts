/** Scaling by number of workers: time over pixels; samples per second over samples per request and over connections. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.ts';
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import { curves, type Curve } from '../plots/curves.ts';
import { workerEntry } from '../../src/tasks/worker-entry.ts';
import { median } from '../../src/util/median.ts';
import {
  cleanImages,
  defaultBundle,
  mixedMeasurements,
  noisySquare,
  toPng,
  perform,
} from './material.ts';
import { fewer, round, type Bench, type BenchOptions, type Row } from './row.ts';
import { load, startService } from './service.ts';
import { DEFAULT_MAX_PIXELS } from '../../src/config.ts';

const WORKERS = [...new Set([1, availableParallelism()])];
const SIDES = [64, 128, 256, 512, 1024, 2048];
/** In a quick run larger ones are left out. */
const QUICK_SIDE = 512;
const SAMPLES = [1, 4, 16, 64, 256];
const CONNECTIONS = [1, 4, 16, 64];

const sidesOf = ({ quick }: BenchOptions): number[] =>
  SIDES.filter((side) => !quick || side <= QUICK_SIDE);

/** The measured curve for each number of workers. */
type ByWorkers = ReadonlyMap<number, Curve['points']>;

export const scaling: Bench = {
  name: 'scaling',
  about:
    'Time over pixels; samples per second over samples per request and over connections; one worker and all. Plots with --plots.',
  async run(options) {
    const pixels = await overPixels(options);
    const samples = await overSamples(options);
    const connections = await overConnections(options);
    if (options.plots !== undefined) {
      await plot(
        join(options.plots, 'time-over-pixels.svg'),
        'Denoising',
        'pixels of an image',
        'ms an image',
        pixels,
      );
      await plot(
        join(options.plots, 'rate-over-samples.svg'),
        'Recovery',
        'samples in a request',
        'samples a second',
        samples,
      );
      await plot(
        join(options.plots, 'rate-over-connections.svg'),
        'Recovery over HTTP',
        'connections',
        'samples a second',
        connections,
      );
    }
    const most = WORKERS.at(-1)!;
    const first = (all: ByWorkers, at: number): number => all.get(1)!.find(({ x }) => x === at)!.y;
    const side = sidesOf(options).at(-1)!;
    const [low, high] = [256 ** 2, side ** 2];
    return [
      row(
        `${side}×${side} over 256×256: time of a pixel`,
        first(pixels, high) / high / (first(pixels, low) / low),
      ),
      row(
        `${SAMPLES.at(-1)} samples in a request over one: samples a second`,
        first(samples, SAMPLES.at(-1)!) / first(samples, 1),
      ),
      row(
        `${CONNECTIONS.at(-1)} connections over one: samples a second`,
        first(connections, CONNECTIONS.at(-1)!) / first(connections, 1),
      ),
      row(
        `${most} workers over one, ${CONNECTIONS.at(-1)} connections: samples a second`,
        connections.get(most)!.at(-1)!.y / connections.get(1)!.at(-1)!.y,
      ),
      row(
        `${most} workers over one, images of 512×512: images a second`,
        first(pixels, 512 ** 2) / pixels.get(most)!.find(({ x }) => x === 512 ** 2)!.y,
      ),
    ];
  },
};

const row = (what: string, value: number): Row => ({
  benchmark: 'scaling',
  what,
  value: round(value),
  unit: '×',
});

async function byWorkers(
  measure: (workers: number) => Promise<Curve['points']>,
): Promise<ByWorkers> {
  const all = new Map<number, Curve['points']>();
  for (const workers of WORKERS) all.set(workers, await measure(workers));
  return all;
}

const start = ({ modelsDir }: BenchOptions, name: string, workers: number): Promise<Engine> =>
  Engine.start({
    modelsDir,
    only: [name],
    entry: workerEntry,
    settings: { maxPixels: DEFAULT_MAX_PIXELS },
    provider: 'cpu',
    workers,
    threads: 1,
    shed: false,
  });

/** Least measuring time, ms; short requests are repeated. */
const MIN_MEASURING_MS = 500;

/** Runs rounds of one request per worker. @returns ms per request: median of at least three rounds after a warm-up round. */
async function timed(workers: number, request: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const start = performance.now();
  while (times.length < 4 || performance.now() - start < MIN_MEASURING_MS) {
    const begin = performance.now();
    await Promise.all(Array.from({ length: workers }, request));
    times.push((performance.now() - begin) / workers);
  }
  return median(times.slice(1));
}

/** Requests without HTTP: PNG in, PNG out, at the calibrated threshold. */
async function overPixels(options: BenchOptions): Promise<ByWorkers> {
  const { manifest } = await defaultBundle(options.modelsDir, 'denoise');
  const clean = (await cleanImages(options))[0]!;
  const sides = sidesOf(options);
  const images = await Promise.all(sides.map((side) => toPng(noisySquare(clean, side, 35))));
  return byWorkers(async (workers) => {
    const engine = await start(options, manifest.name, workers);
    const points = [];
    for (const [i, body] of images.entries()) {
      const ms = await timed(workers, () => perform(engine, 'denoise', 'image/png', body));
      points.push({ x: sides[i]! ** 2, y: ms });
    }
    await engine.close();
    return points;
  });
}

async function overSamples(options: BenchOptions): Promise<ByWorkers> {
  const { manifest } = await defaultBundle(options.modelsDir, 'sparse-recovery');
  const { rows } = await matrixOf(manifest, options.modelsDir);
  const all = mixedMeasurements(await matrixOf(manifest, options.modelsDir), SAMPLES.at(-1)!);
  const samples = Array.from({ length: SAMPLES.at(-1)! }, (_, i) => ({
    measurements: { data: all.slice(i * rows, (i + 1) * rows), dims: [rows] },
  }));
  return byWorkers(async (workers) => {
    const engine = await start(options, manifest.name, workers);
    const points = [];
    for (const count of SAMPLES) {
      const ms = await timed(workers, () => engine.run(manifest.name, samples.slice(0, count)));
      points.push({ x: count, y: (1000 * count) / ms });
    }
    await engine.close();
    return points;
  });
}

async function overConnections({ modelsDir, quick }: BenchOptions): Promise<ByWorkers> {
  const { manifest } = await defaultBundle(modelsDir, 'sparse-recovery');
  const body = Buffer.from(mixedMeasurements(await matrixOf(manifest, modelsDir), 1).buffer);
  return byWorkers(async (workers) => {
    const service = await startService(modelsDir, {
      WORKERS: String(workers),
      SHED_DEPTH: 'false',
    });
    const points = [];
    for (const connections of CONNECTIONS) {
      const { rate } = await load(service, {
        path: '/v1/recover',
        body,
        contentType: 'application/octet-stream',
        connections,
        seconds: fewer(3, quick),
      });
      points.push({ x: connections, y: rate });
    }
    await service.close();
    return points;
  });
}

async function plot(
  file: string,
  title: string,
  x: string,
  y: string,
  all: ByWorkers,
): Promise<void> {
  const named = [...all].map(([workers, points]) => ({
    name: workers === 1 ? 'one worker' : `${workers} workers`,
    points,
  }));
  await writeFile(
    file,
    await curves({
      title,
      x: { title: x, scale: 'log' },
      y: { title: y, scale: 'log' },
      curves: named,
    }),
  );
}
