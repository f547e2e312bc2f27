/** What a manifest says of a bundle's quality and time: the threshold calibrated on one set of data, the rows on another. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../bundle/manifest.ts';
import { readFile } from 'node:fs/promises';
import { readNpy } from '../codecs/npy.ts';
import type { Planes } from '../codecs/images.ts';
import type { Matrix } from '../data/sparse-recovery.ts';
import { Engine } from '../engine/engine.ts';
import { calibrate } from './calibrate.ts';
import { denoiseConditions, recoveryConditions, type Condition } from './data.ts';
import { evaluate } from './evaluate.ts';
import { builtUrl } from '../util/built-url.ts';

/** Quality that the calibrated threshold may give up, dB, or percentage points of accuracy. */
const TOLERANCE = { 'sparse-recovery': 0.09, denoise: 0.04, 'few-shot': 0.1 };
const SEEDS = { calibration: 9_001, measurement: 77_001 };

/** Data to measure on: its name, and a draw of it for a seed. */
export interface TestData {
  readonly name: string;
  conditions(manifest: Manifest, seed: number): Condition[];
}

/** Fresh signals, as the model was trained for. */
export const freshSignals = (matrix: Matrix, { sparsity, snr }: { sparsity: number; snr: readonly number[] }, count = 300): TestData => ({
  name: 'fresh signals',
  conditions: (_, seed) => recoveryConditions(matrix, snr, count, seed, { sparsity }),
});

/** Images with fresh noise, as it is or as an 8-bit file holds it. */
export const noisyImages = (
  images: readonly Planes[],
  folder: string,
  { sigmas = SIGMAS, clipped = false }: { sigmas?: readonly number[]; clipped?: boolean } = {},
): TestData => ({
  name: `${images.length} images, ${folder}${clipped ? ', 8-bit noise' : ''}`,
  conditions: (manifest, seed) => denoiseConditions(images, manifest, sigmas, seed, clipped),
});

const SIGMAS = [15, 25, 35, 45, 55, 65, 75];

/** Measures a written bundle: calibration first, then a fresh draw of the data at the threshold found. */
export async function measure(manifest: Manifest, modelsDir: string, data: TestData): Promise<Pick<Manifest, 'threshold' | 'measured'>> {
  const engine = await startEngine(modelsDir, [manifest.name]);
  try {
    const tolerance = TOLERANCE[manifest.task as keyof typeof TOLERANCE];
    const { threshold, exits } = await calibrate(engine, manifest, data.conditions(manifest, SEEDS.calibration), tolerance);
    const rows = await evaluate(engine, manifest, data.conditions(manifest, SEEDS.measurement), { rule: 'threshold', threshold });
    return { threshold, measured: { data: `${data.name}, seed ${SEEDS.measurement}`, exits, threshold: rows } };
  } finally {
    await engine.close();
  }
}

/** An engine as the service would start it, with one worker so that times are those of a request alone. */
export function startEngine(modelsDir: string, only?: readonly string[]): Promise<Engine> {
  return Engine.start({
    modelsDir,
    ...(only && { only }),
    entry: builtUrl(new URL('../tasks/worker.ts', import.meta.url)),
    settings: { maxPixels: 40e6 },
    provider: 'cpu',
    workers: 1,
    threads: Math.min(availableParallelism(), 2),
    maxPending: 1e9,
  });
}

export async function matrixOf({ name }: Pick<Manifest, 'name'>, modelsDir: string): Promise<Matrix> {
  const { shape, data } = readNpy(await readFile(join(modelsDir, name, 'matrix.npy')));
  return { rows: shape[0]!, columns: shape[1]!, data: Float32Array.from(data) };
}
