/** The weights and the family of a bundle, to start training from and to compare with. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TObject } from 'typebox';
import type { Manifest } from '../bundle/manifest.ts';
import { readManifest } from '../bundle/read.ts';
import { parseStoredConfig } from './config.ts';
import { WEIGHTS } from './export.ts';
import type { BaseConfig, Recipe } from './recipe.ts';
import { decodeTensors } from './safetensors.ts';
import type { Weights } from './weights.ts';

/** Every weight by parameter name. @throws Error where the bundle is missing or was made by another exporter */
export async function readWeights(directory: string): Promise<Weights> {
  const { name } = await readManifest(directory);
  const bytes = await readFile(join(directory, WEIGHTS)).catch((error: unknown) => {
    throw new Error(`The bundle ${name} has no ${WEIGHTS}, so training cannot start from it.`, {
      cause: error,
    });
  });
  return decodeTensors(bytes).tensors;
}

/**
 * The configuration that a bundle was trained with.
 *
 * @throws Error where the manifest has none or it is not valid
 * @public benchmarks build the family from it
 */
export function configOf<Config extends BaseConfig>(
  { schema, defaults }: Pick<Recipe<Config>, 'schema' | 'defaults'>,
  { name, training }: Pick<Manifest, 'name' | 'training'>,
): Config {
  if (training.config === undefined)
    throw new Error(`The manifest of ${name} does not say how it was trained.`);
  const path = `training.config of ${name}`;
  return parseStoredConfig<TObject, Config>(schema, defaults, training.config, path);
}
