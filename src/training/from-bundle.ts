/** A bundle's weights and family, for training to start from and to compare with. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readManifest } from '../bundle/read.ts';
import { readNpy } from '../codecs/npy.ts';
import type { Family } from '../families/family.ts';
import { WEIGHTS } from './export.ts';
import { decodeTensors } from './safetensors.ts';
import { denoiseFamily, type DenoiseConfig } from './denoise.ts';
import { fewShotFamily, type FewShotConfig } from './few-shot.ts';
import { recognizeFamily, type RecognizeConfig } from './recognize.ts';
import { recoveryFamily, type RecoveryConfig } from './sparse-recovery.ts';
import type { Weights } from './weights.ts';

/** Every weight by parameter name. @throws where the bundle is missing or another exporter's */
export async function readWeights(directory: string): Promise<Weights> {
  const { name } = await readManifest(directory);
  const bytes = await readFile(join(directory, WEIGHTS)).catch(() => {
    throw new Error(`The bundle ${name} has no ${WEIGHTS}, so nothing can start from it.`);
  });
  return decodeTensors(bytes).tensors;
}

/** The family that a bundle of this project was made of. @throws where the bundle is another exporter's */
export async function readFamily(directory: string): Promise<Family> {
  const { name, task, training, outputs } = await readManifest(directory);
  const config: unknown = training.config;
  if (typeof config !== 'object' || config === null || !('form' in config))
    throw new Error(`The manifest of ${name} does not say how it was made.`);
  if (task === 'few-shot') return fewShotFamily(config as FewShotConfig);
  if (task === 'recognize')
    return recognizeFamily(config as RecognizeConfig, Number(outputs[0]!.shape[1]));
  if (task === 'denoise') return denoiseFamily(config as DenoiseConfig);
  const { shape, data } = readNpy(await readFile(join(directory, 'matrix.npy')));
  const scales = (await readWeights(directory)).get('scales');
  return recoveryFamily(
    config as RecoveryConfig,
    { rows: shape[0]!, columns: shape[1]!, data: Float32Array.from(data) },
    scales,
  );
}
