/** What a manifest says of a bundle's quality and time: the threshold calibrated on one set of data, the rows on another. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../bundle/manifest.ts';
import { readFile } from 'node:fs/promises';
import { readNpy } from '../codecs/npy.ts';
import { readImageFolder } from '../data/images.ts';
import type { Matrix } from '../data/sparse-recovery.ts';
import { Engine } from '../engine/engine.ts';
import { calibrate } from '../evaluation/calibrate.ts';
import { denoiseConditions, recoveryConditions, type Condition } from '../evaluation/data.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import { builtUrl } from '../util/built-url.ts';

/** Quality that the calibrated threshold may give up, dB. */
const TOLERANCE = { 'sparse-recovery': 0.08, denoise: 0.04 };
const SEEDS = { calibration: 9_001, measurement: 77_001 };

/** Measures a written bundle: calibration first, then a fresh draw of the data at the threshold found. */
export async function measure(
  manifest: Manifest,
  modelsDir: string,
  data: string | undefined,
): Promise<Pick<Manifest, 'threshold' | 'measured'>> {
  const engine = await startEngine(modelsDir, [manifest.name]);
  try {
    const conditions = (seed: number): Promise<Condition[]> =>
      conditionsFor(manifest, modelsDir, seed, data, 300, [15, 25, 35, 45, 55, 65, 75]);
    const { threshold, exits } = await calibrate(
      engine,
      manifest,
      await conditions(SEEDS.calibration),
      TOLERANCE[manifest.task as keyof typeof TOLERANCE],
    );
    const rows = await evaluate(engine, manifest, await conditions(SEEDS.measurement), { rule: 'threshold', threshold });
    const name = data === undefined ? 'fresh signals' : `images of ${data.split('/').at(-1)}`;
    return { threshold, measured: { data: `${name}, seed ${SEEDS.measurement}`, exits, threshold: rows } };
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

/** Test data for a model: fresh signals, or the images of a folder with fresh noise. */
export async function conditionsFor(
  manifest: Manifest,
  modelsDir: string,
  seed: number,
  data: string | undefined,
  count: number,
  sigmas: readonly number[],
): Promise<Condition[]> {
  if (manifest.task === 'sparse-recovery') {
    return recoveryConditions(await matrixOf(manifest, modelsDir), [20, 30, 40], count, seed, { sparsity: 0.1 });
  }
  if (data === undefined) throw new Error('denoise needs a folder of clean images: --data DIR');
  const { images } = await readImageFolder(data, Number(manifest.inputs[0]!.shape[1]) === 1 ? 1 : 3);
  return denoiseConditions(images.slice(0, count), manifest, sigmas, seed);
}

export async function matrixOf({ name }: Manifest, modelsDir: string): Promise<Matrix> {
  const { shape, data } = readNpy(await readFile(join(modelsDir, name, 'matrix.npy')));
  return { rows: shape[0]!, columns: shape[1]!, data: Float32Array.from(data) };
}
