/** The traffic that a denoising bundle is calibrated on. */
import { basename } from 'node:path';
import { channelsOf, type Manifest } from '../../bundle/manifest.ts';
import {
  sourceOf,
  type CalibrationTraffic,
  type Traffic,
  type TrafficRequest,
} from '../../evaluation/traffic.ts';
import type { FlagsOf, FlagTable } from '../../training/flags.ts';
import { readPhotographs, type Photograph } from './photographs.ts';
import { toByte } from './planes.ts';
import { fitting } from './test-data.ts';
import { denoiseTraffic } from './traffic.ts';

/** Flags of `calibrate` for denoising bundles. */
export const calibrateFlags = {
  data: {
    type: 'string',
    value: 'DIR',
    help: 'clean photographs; two fifths, by a hash of their content, are used and must not have been trained on (required)',
  },
  'test-data': {
    type: 'string',
    value: 'DIR',
    help: 'other clean photographs, to measure the gain on; it is not measured where absent',
  },
} as const satisfies FlagTable;

/** Draws of each photograph in the certification part. */
const DRAWS = 4;

/** Photographs and drawings with the noise of the mix. */
export async function denoiseCalibration(
  { data, 'test-data': other }: FlagsOf<typeof calibrateFlags>,
  manifest: Manifest,
  _modelsDir: string,
  seed: number,
): Promise<CalibrationTraffic> {
  if (data === undefined)
    throw new Error('denoise needs a folder of clean photographs: --data DIR.');
  const selection = await readPhotographs(data, 'selection');
  const certification = await readPhotographs(data, 'certification');
  const count = DRAWS * certification.length;
  return {
    name: `noise of every kind in ${certification.length} photographs, ${basename(data)}`,
    selection: samples(selection, 'selection', seed, manifest),
    certification: samples(certification, 'certification', seed, manifest),
    ...(other !== undefined && {
      test: samples(await readPhotographs(other, 'test'), 'test', seed, manifest),
    }),
    count,
    repeats: 1,
    untouched: ({ sample }) => sample[manifest.inputs[0]!.name]!.data,
  };
}

/**
 * Requests as the model takes them: sides cut to the multiples that it needs. The source of a photograph is its content,
 * which tells whether another part has it too; drawings of different parts have nothing in common.
 */
function samples(
  photographs: readonly Photograph[],
  part: 'selection' | 'certification' | 'test',
  seed: number,
  manifest: Manifest,
): Traffic {
  const channels = channelsOf(manifest) === 1 ? 1 : 3;
  const contents = new Map(
    photographs.map(({ name, image }) => [name, sourceOf(Uint8Array.from(image.data, toByte))]),
  );
  const traffic = denoiseTraffic({ photographs, part, seed, channels });
  return {
    part,
    draw: async (i): Promise<TrafficRequest> => {
      const { kind, source, clean, noisy } = await traffic.draw(i);
      const { data, height, width } = fitting(noisy, manifest);
      return {
        kind,
        source: contents.get(source) ?? `${part} ${source}`,
        sample: { [manifest.inputs[0]!.name]: { data, dims: [channels, height, width] } },
        truth: fitting(clean, manifest).data,
      };
    },
  };
}
