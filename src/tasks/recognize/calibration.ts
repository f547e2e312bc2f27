/** The traffic that a recognition bundle is calibrated on. */
import { basename } from 'node:path';
import type { Manifest } from '../../bundle/manifest.ts';
import type { CalibrationTraffic } from '../../evaluation/traffic.ts';
import type { FlagsOf, FlagTable } from '../../training/flags.ts';
import { readRecognizable } from './test-data.ts';
import { recognizeTraffic, splitImages } from './traffic.ts';

/** Flags of `calibrate` for recognition bundles. */
export const calibrateFlags = {
  data: {
    type: 'string',
    value: 'DIR',
    help: 'a folder with a folder of images for each class, none of which the model was trained on (required)',
  },
} as const satisfies FlagTable;

/** Images of the mix; those of a folder are divided among the parts by a hash of their content. */
export async function recognizeCalibration(
  { data }: FlagsOf<typeof calibrateFlags>,
  manifest: Manifest,
  modelsDir: string,
  seed: number,
): Promise<CalibrationTraffic> {
  if (data === undefined)
    throw new Error(
      'recognize needs a folder with one folder of images for each class: --data DIR.',
    );
  const all = await readRecognizable(manifest, modelsDir, data);
  const images = splitImages(all, { selection: 0.3, certification: 0.4, test: 0.3 });
  const traffic = (part: 'selection' | 'certification' | 'test') => {
    if (images[part].images.length === 0)
      throw new Error(`${data} holds too few images: none is left for ${part}.`);
    return recognizeTraffic(images[part], part, seed, manifest.inputs[0]!.name);
  };
  return {
    name: `${all.images.length} images, ${basename(data)}, plain, of half the resolution, tilted and as JPEG`,
    selection: traffic('selection'),
    certification: traffic('certification'),
    test: traffic('test'),
    count: images.certification.images.length,
    repeats: 1,
  };
}
