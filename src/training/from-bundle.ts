/** A bundle's weights, for training to start from. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readManifest } from '../bundle/read.ts';
import { readInitializers } from '../graph/model.ts';
import type { Weights } from './weights.ts';

/** The weights of every segment and decoder, by parameter name. @throws where the bundle is missing */
export async function readWeights(directory: string): Promise<Weights> {
  const { segments, decoders } = await readManifest(directory);
  const weights: Weights = new Map();
  for (const { file } of [...segments, ...decoders]) {
    const found = readInitializers(await readFile(join(directory, file)));
    for (const [name, data] of found) weights.set(name, data);
  }
  return weights;
}
