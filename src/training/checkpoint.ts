/** Checkpoints: named arrays and JSON in one safetensors file. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { decodeTensors, encodeTensors } from './safetensors.ts';

/** Contents of a checkpoint file: weights and optimiser moments as tensors, the rest as JSON. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, Float32Array>;
  /** JSON: step, stage, random state, configuration. */
  readonly meta: unknown;
}

/** Writes to a temporary file first and renames it, so that a checkpoint is complete or absent. */
export async function writeCheckpoint(file: string, { tensors, meta }: Checkpoint): Promise<void> {
  await writeFile(`${file}.part`, encodeTensors(tensors, { stopwise: JSON.stringify(meta) }).bytes);
  await rename(`${file}.part`, file);
}

/** @throws Error where the file is missing or is not a checkpoint of this project */
export async function readCheckpoint(file: string): Promise<Checkpoint> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new Error(`There is no checkpoint ${file}; train without --resume.`, { cause: error });
  });
  let decoded;
  try {
    decoded = decodeTensors(bytes);
  } catch (error) {
    throw new Error(`${file} is not a checkpoint: ${(error as Error).message}`, { cause: error });
  }
  const { tensors, metadata } = decoded;
  if (!metadata.stopwise)
    throw new Error(`${file} is a safetensors file, but not a checkpoint of this project`);
  return { tensors, meta: JSON.parse(metadata.stopwise) as unknown };
}
