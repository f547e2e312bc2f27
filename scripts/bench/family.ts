import { dirname } from 'node:path';
import { readManifest } from '../../src/bundle/read.ts';
import type { Family } from '../../src/families/family.ts';
import { configOf } from '../../src/training/from-bundle.ts';
import type { Recipe } from '../../src/training/recipe.ts';

/** The family that a bundle was exported from. @throws Error where another exporter made the bundle */
export async function readFamily(recipe: Recipe, directory: string): Promise<Family> {
  const manifest = await readManifest(directory);
  return recipe.family(configOf(recipe, manifest), manifest, dirname(directory));
}
