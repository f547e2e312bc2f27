/** Labelled images to measure recognition on. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LABELS, readLabels } from './labels.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import { readClassFolders, type LabelledImages } from '../../data/class-folders.ts';
import type { Condition, TestData } from '../../evaluation/data.ts';

/** Labelled images as they are. @param calibration what the threshold is calibrated on */
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

/** Every image with the number of its class as its truth, [1], as one condition. */
export function recognizeConditions(
  { images, classes }: LabelledImages,
  manifest: Manifest,
): Condition[] {
  const { name } = manifest.inputs[0]!;
  const cases = images.map(({ data, channels, height, width }, i) => ({
    sample: { [name]: { data, dims: [channels, height, width] } },
    truth: Float32Array.of(classes[i]!),
  }));
  return [{ label: {}, cases }];
}

/**
 * The images below `folder`, at the model's size and with its classes.
 * @throws Error where the folder holds a class that the model does not know
 */
export async function readRecognizable(
  { name, inputs, outputs }: Manifest,
  modelsDir: string,
  folder: string,
): Promise<LabelledImages> {
  const [, channels, side] = inputs[0]!.shape.map(Number) as [number, 1 | 3, number];
  const labels = readLabels(await readFile(join(modelsDir, name, LABELS)), { name, outputs });
  return readClassFolders(folder, { side, channels, labels });
}
