/** The setting of the published experiment, shared by all parts. */
import { basename } from 'node:path';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import type { Planes } from '../../../src/codecs/images.ts';
import { readImageFolder } from '../../../src/data/images.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { requireModel } from '../models.ts';
import type { ReproduceOptions } from '../report.ts';

/** Noise levels σ, of 255. The models are trained on 5 to 55. */
export const SIGMAS = [15, 25, 35, 45, 55, 65, 75];
export const UNSEEN = 55;
/** Seed of the test noise; calibration uses another. */
export const SEED = 31_337;
export const GRAY = 'denoise-gray';
export const COLOR = 'denoise-color';
/** The network as published. */
export const PUBLISHED_FORM = 'denoise-gray-published';

export interface Setting {
  readonly folder: string;
  readonly images: readonly Planes[];
  readonly engine: Engine;
  readonly manifests: readonly Manifest[];
}

/** Reads the test images, starts an engine with the models, and passes both to `work`. @throws Error without `data` or a model. */
export async function withModels<T>(
  { data, modelsDir, quick }: ReproduceOptions,
  channels: 1 | 3,
  names: readonly string[],
  work: (setting: Setting) => Promise<T>,
): Promise<T> {
  if (data === undefined)
    throw new Error('denoise needs a folder of clean test images: --data DIR.');
  const { images } = await readImageFolder(data, channels);
  const engine = await startEngine(modelsDir, names);
  try {
    const manifests = names.map((name) => requireModel(engine, name, modelsDir));
    return await work({
      folder: basename(data),
      images: quick ? images.slice(0, 2) : images,
      engine,
      manifests,
    });
  } finally {
    await engine.close();
  }
}
