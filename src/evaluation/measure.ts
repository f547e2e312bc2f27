/** What a manifest says of a bundle's quality and time: the threshold calibrated on one set of data, the rows on another. */
import { join } from 'node:path';
import { LABELS, readLabels } from '../tasks/recognize/labels.ts';
import type { Manifest } from '../bundle/manifest.ts';
import { readFile } from 'node:fs/promises';
import { readNpy } from '../codecs/npy.ts';
import type { Planes } from '../codecs/images.ts';
import { readClassFolders, type LabelledImages } from '../data/class-folders.ts';
import type { Matrix, Signals } from '../data/sparse-recovery.ts';
import { Engine } from '../engine/engine.ts';
import type { EngineOptions } from '../engine/pool.ts';
import { calibrate } from './calibrate.ts';
import {
  denoiseConditions,
  recognizeConditions,
  recoveryConditions,
  type Condition,
} from './data.ts';
import { evaluate } from './evaluate.ts';
import { workerEntry } from '../tasks/worker-entry.ts';

/** Quality that the calibrated threshold may give up, dB, or percentage points of accuracy. */
const TOLERANCE: Readonly<Record<string, number>> = {
  'sparse-recovery': 0.09,
  denoise: 0.04,
  'few-shot': 0.1,
  recognize: 0.2,
};
const SEEDS = { calibration: 9_001, measurement: 77_001 };

/** Data to measure on: its name, and a draw of it for a seed. */
export interface TestData {
  readonly name: string;
  conditions(manifest: Manifest, seed: number): Condition[];
  /** What the threshold is calibrated on, where it is not another draw of the same. */
  calibration?(manifest: Manifest): Condition[];
}

/** Fresh signals, as the model was trained for. */
export const freshSignals = (
  matrix: Matrix,
  { sparsity, snr }: { sparsity: number; snr: readonly number[] },
  count = 300,
): TestData => ({
  name: 'fresh signals',
  conditions: (_, seed) => recoveryConditions(matrix, snr, count, seed, { sparsity }),
});

/** Signals of one's own, taken at random, with fresh noise. @param snrs signal-to-noise ratios, dB */
export const ownSignals = (
  matrix: Matrix,
  signals: Signals,
  name: string,
  snrs: readonly number[],
  count = 300,
): TestData => ({
  name: `${signals.count} signals, ${name}`,
  conditions: (_, seed) => recoveryConditions(matrix, snrs, count, seed, { sparsity: 1, signals }),
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

/** Labelled images as they are; the threshold is calibrated on others. */
export const labelledImages = (
  images: LabelledImages,
  folder: string,
  calibration?: LabelledImages,
): TestData => ({
  name: `${images.images.length} images, ${folder}`,
  conditions: (manifest) => recognizeConditions(images, manifest),
  ...(calibration && {
    calibration: (manifest: Manifest) => recognizeConditions(calibration, manifest),
  }),
});

const SIGMAS = [15, 25, 35, 45, 55, 65, 75];

/** Measures a written bundle: calibration first, then a fresh draw of the data at the threshold found. */
export async function measure(
  manifest: Manifest,
  modelsDir: string,
  data: TestData,
): Promise<Pick<Manifest, 'threshold' | 'thresholds' | 'measured'>> {
  const engine = await startEngine(modelsDir, [manifest.name]);
  try {
    const tolerance = TOLERANCE[manifest.task] ?? 0.1;
    const { exits, ...thresholds } = await calibrate(
      engine,
      manifest,
      data.calibration?.(manifest) ?? data.conditions(manifest, SEEDS.calibration),
      tolerance,
    );
    const rows = await evaluate(engine, manifest, data.conditions(manifest, SEEDS.measurement), {
      rule: 'threshold',
      threshold: thresholds.threshold,
    });
    return {
      ...thresholds,
      measured: { data: `${data.name}, seed ${SEEDS.measurement}`, exits, threshold: rows },
    };
  } finally {
    await engine.close();
  }
}

/** An engine with one worker, so that times are those of a request alone; as the service's by default, where nothing is said. */
export function startEngine(
  modelsDir: string,
  only?: readonly string[],
  { provider = 'cpu', threads = 1 }: Pick<EngineOptions, 'provider' | 'threads'> = {},
): Promise<Engine> {
  return Engine.start({
    modelsDir,
    ...(only && { only }),
    entry: workerEntry,
    settings: { maxPixels: 40e6 },
    provider,
    workers: 1,
    threads,
    maxPending: 1e9,
  });
}

/** The images below a folder, at the model's size and with its classes. */
export async function readRecognizable(
  { name, inputs, outputs }: Manifest,
  modelsDir: string,
  folder: string,
): Promise<LabelledImages> {
  const [, channels, side] = inputs[0]!.shape.map(Number) as [number, 1 | 3, number];
  const labels = readLabels(await readFile(join(modelsDir, name, LABELS)), { name, outputs });
  return readClassFolders(folder, { side, channels, labels });
}

export async function matrixOf(
  { name }: Pick<Manifest, 'name'>,
  modelsDir: string,
): Promise<Matrix> {
  const { shape, data } = readNpy(await readFile(join(modelsDir, name, 'matrix.npy')));
  return { rows: shape[0]!, columns: shape[1]!, data: Float32Array.from(data) };
}
