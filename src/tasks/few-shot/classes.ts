/** Which classes the layers learn from, and which the policy learns from. */
import { holdOutClasses, type LabelledImages } from '../../data/class-folders.ts';
import { Random } from '../../data/random.ts';
import type { FewShotConfig } from './config.ts';

/** The labelled images of the layers and those of the policy, divided by class. */
export interface SplitClasses {
  readonly layers: LabelledImages;
  readonly policy: LabelledImages;
  /** Whether the policy has classes of its own. */
  readonly separate: boolean;
}

/** The fewest class folders that tasks can be drawn from. */
export const fewestClasses = ({ ways, stageTwo, turns }: FewShotConfig): number =>
  Math.ceil(Math.max(...ways, ...stageTwo.ways) / (turns ? 4 : 1));

/**
 * The policy learns from classes that the layers do not see, since on classes they know the first step is better than it
 * will be on new ones. Where there are too few classes, or there is no policy, both have all classes.
 */
export function splitClasses(config: FewShotConfig, images: LabelledImages): SplitClasses {
  const least = fewestClasses(config);
  const classes = images.labels.length;
  const count = Math.max(least, Math.floor(config.held * classes));
  if (config.form === 'fixed' || config.held === 0 || classes - count < least)
    return { layers: images, policy: images, separate: false };
  const { training, held } = holdOutClasses(images, count, new Random(config.seed + 1));
  return { layers: training, policy: held, separate: true };
}
