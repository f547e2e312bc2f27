/** The traffic that a few-shot bundle is calibrated on. */
import { basename } from 'node:path';
import type { Manifest } from '../../bundle/manifest.ts';
import type { CalibrationTraffic } from '../../evaluation/traffic.ts';
import { toPositive, type FlagsOf, type FlagTable } from '../../training/flags.ts';
import { kindOf, preparation, readClasses } from './drawings.ts';
import { fewShotTraffic, splitClasses } from './traffic.ts';

/** Flags of `calibrate` for few-shot bundles. */
export const calibrateFlags = {
  data: {
    type: 'string',
    value: 'DIR',
    help: 'a folder with a folder of images for each class, none of which the model was trained on (required)',
  },
  queries: { type: 'string', value: 'N', default: '5', help: 'queries of a class' },
  upright: {
    type: 'boolean',
    default: false,
    help: 'turned drawings are not classes of their own',
  },
} as const satisfies FlagTable;

/** Tasks of the mix; the classes of a folder are divided among the parts by a hash of their names. */
export async function fewShotCalibration(
  { data, queries, upright }: FlagsOf<typeof calibrateFlags>,
  manifest: Manifest,
  _modelsDir: string,
  seed: number,
): Promise<CalibrationTraffic> {
  if (data === undefined)
    throw new Error('few-shot needs a folder with a folder of images for each class: --data DIR.');
  const kind = kindOf(manifest);
  const { channels, side, drawings } = kind;
  const all = await readClasses(data, kind);
  const images = splitClasses(all, { selection: 0.3, certification: 0.4, test: 0.3 });
  const traffic = (part: 'selection' | 'certification' | 'test') => {
    const classes = images[part].labels.length;
    if (classes < 2)
      throw new Error(`${data} holds too few classes: ${classes} for ${part}, which needs two.`);
    return fewShotTraffic(images[part], part, seed, {
      style: channels === 1 ? 'drawings' : 'photographs',
      side,
      ...(drawings && { prepare: preparation(side) }),
      queries: toPositive('--queries', queries),
      turns: channels === 1 && !upright,
    });
  };
  return {
    name: `tasks of 2 to 20 of ${all.labels.length} classes, ${basename(data)}`,
    selection: traffic('selection'),
    certification: traffic('certification'),
    test: traffic('test'),
    // Images of a class, in the mean.
    statistic: ({ sample }) => {
      const [images, ways] = sample.labels!.dims as [number, number];
      return images / ways;
    },
    count: 1000,
    repeats: 1,
  };
}
