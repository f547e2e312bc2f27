import type { Manifest } from '../../src/bundle/manifest.ts';
import type { Engine } from '../../src/engine/engine.ts';

/** The manifest of a bundle that a part requires. @throws Error if the bundle is missing or was refused */
export function requireModel(
  { manifests, refused }: Engine,
  name: string,
  modelsDir: string,
): Manifest {
  const manifest = manifests.get(name);
  if (manifest) return manifest;
  const refusal = refused.find((bundle) => bundle.name === name);
  throw new Error(
    refusal
      ? `The model ${name} is refused: ${refusal.reason}`
      : `There is no model ${name} in ${modelsDir}; set MODELS_DIR to the folder that holds it.`,
  );
}
