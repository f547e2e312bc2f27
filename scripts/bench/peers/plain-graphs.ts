/** The shipped networks as one ONNX graph each, without policies and without exits: what one would serve without this project. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle } from '../../../src/bundle/read.ts';
import { layersOf, leavesOf, type Values } from '../../../src/families/family.ts';
import { Random } from '../../../src/data/random.ts';
import { toModel } from '../../../src/graph/model.ts';
import { recipeFor } from '../../../src/tasks/recipes.ts';
import { readWeights } from '../../../src/training/from-bundle.ts';
import { readFamily } from '../family.ts';
import { initialWeights, toConstants } from '../../../src/training/weights.ts';

/**
 * The layers up to `depth` and the read-out there as one ONNX model with the bundle's weights; its output is the answer.
 * @throws Error where another exporter made the bundle
 */
export async function plainGraph(
  { manifest, directory }: Bundle,
  depth: number,
): Promise<Uint8Array> {
  const family = await readFamily(recipeFor(manifest.task), directory);
  // Constants are not among the stored weights; a fresh family computes them.
  const fresh = initialWeights(family, new Random(1).normal);
  const weights = toConstants(new Map([...fresh, ...(await readWeights(directory))]));
  let read: Values = leavesOf(family.inputs);
  for (const t of layersOf(family).filter((layer) => layer <= depth))
    read = { ...read, ...family.layer(t, read) };
  const found = family.decode?.(depth, read) ?? read;
  const outputs = Object.fromEntries(family.outputs.map((name) => [name, found[name]!]));
  return toModel({ outputs, weights });
}

/** The files of the networks that every server runs. */
export interface Graphs {
  readonly recovery: string;
  readonly denoiser: string;
}

/** Writes both graphs, at full depth, into a new temporary folder. */
export async function writeGraphs(recovery: Bundle, denoiser: Bundle): Promise<Graphs> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-peers-'));
  const write = async (bundle: Bundle): Promise<string> => {
    const file = join(folder, `${bundle.manifest.name}.onnx`);
    await writeFile(file, await plainGraph(bundle, bundle.manifest.depth));
    return file;
  };
  return { recovery: await write(recovery), denoiser: await write(denoiser) };
}
