/** Training for recognition: a folder with one folder of images for each class. */
import { basename } from 'node:path';
import { fewestImages, holdOut, readClassFolders } from '../../data/class-folders.ts';
import { Random } from '../../data/random.ts';
import { labelledImages } from '../../evaluation/measure.ts';
import { recognizeDefaults, type RecognizeConfig } from '../../training/recognize.ts';
import { splitForPolicy, trainRecognize } from '../../training/run.ts';
import { formOf, readConfig, slug, wantedChannels, type Flags, type Plan } from './plan.ts';

/** The share of each class that is held out to measure on, where no other images are given. */
const HELD_OUT = 0.1;

export async function recognizePlan(flags: Flags): Promise<Plan> {
  if (flags.data === undefined)
    throw new Error(
      'recognize needs a folder with one folder of images for each class: --data DIR.',
    );
  const form = formOf<RecognizeConfig['form']>(flags, recognizeDefaults, 'sdn');
  const channels = wantedChannels(flags) ?? 3;
  const config = await readConfig<RecognizeConfig>({ ...recognizeDefaults[form], channels }, flags);
  const { side } = config;
  const given = await readClassFolders(flags.data, { side, channels });
  const { labels } = given;
  const folder = basename(flags.data);
  const { training, held } =
    flags.validate === undefined
      ? holdOut(given, HELD_OUT, new Random(config.seed + 99))
      : {
          training: given,
          held: await readClassFolders(flags.validate, { side, channels, labels }),
        };
  // On the images that it learnt from the policy seems better than it is; they serve only where there are too few others.
  const halves =
    fewestImages(held) > 1
      ? holdOut(held, 0.5, new Random(config.seed + 98))
      : { training: held, held: splitForPolicy(config, training).held };
  const measuredOn =
    flags.validate === undefined ? `held out of ${folder}` : basename(flags.validate);
  return {
    task: 'recognize',
    name: flags.name ?? slug(`recognize-${folder}`),
    description: `Recognises ${labels.length} classes in images.`,
    baseline: false,
    taskFiles: new Map([['labels.json', Buffer.from(`${JSON.stringify(labels, null, 1)}\n`)]]),
    test: labelledImages(halves.training, measuredOn, halves.held),
    run: (run) => trainRecognize(config, training, run),
  };
}
