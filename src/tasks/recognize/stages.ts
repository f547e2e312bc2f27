/** The training stages of shallow-deep networks: labelled images, with a cross-entropy at every exit. */
import { defineSdn } from '../../families/sdn.ts';
import type { Family, Values } from '../../families/family.ts';
import { logSoftmax } from '../../graph/functions.ts';
import { input, mul, neg, reduceSum } from '../../graph/operators.ts';
import type { Value } from '../../graph/value.ts';
import type { Stage } from '../../training/stage-run.ts';
import { stageOneOf, stageTwoOf, type Batches } from '../../training/stages.ts';
import { foldStatistics } from '../../training/statistics.ts';
import { unroll } from '../../training/unroll.ts';
import type { RecognizeConfig } from './config.ts';

/** The shallow-deep network of a configuration, as served: image [N,C,side,side] → logits [N,K]. */
export const recognizeFamily = (config: RecognizeConfig, classes: number): Family =>
  defineSdn({ ...config, classes }).family;

/** The batches that the layers, the normalisation statistics and the policy are computed from. */
export interface RecognizeBatches {
  /** For the layers: `image` [N,C,crop,crop] in [0,1] and `truth` [N,K]. */
  readonly layers: Batches;
  /** Whole images [N,C,side,side] of the same data. */
  readonly whole: Batches;
  /** For the policy: whole images that the layers do not see. */
  readonly policy: Batches;
}

/** Stage I on crops, after which batch normalisation is folded, and Stage II on whole images. */
export function recognizeStages(
  config: RecognizeConfig,
  classes: number,
  batches: RecognizeBatches,
): { family: Family; stages: Stage[] } {
  const { batch, channels, side, crop } = config;
  const normalised = defineSdn({ ...config, classes });
  const { family } = normalised;
  const image = input('image', [batch, channels, side, side]);
  const truth = input('truth', [batch, classes]);
  const losses = (outputs: readonly Values[]): Value[] =>
    outputs.map(({ logits }) => neg(reduceSum(mul(logSoftmax(logits!, 1), truth), [1])));
  const learnt = unroll(normalised.training, {
    image: input('image', [batch, channels, crop, crop]),
  });
  const served = unroll(family, { image });
  const costs = family.exits.map((exit) => exit / family.depth);
  const first = stageOneOf(family, losses(learnt.outputs), config.stageOne, batches.layers);
  return {
    family,
    stages: [
      {
        ...first,
        finish: (weights, runOn) =>
          foldStatistics(normalised, { image }, weights, batches.whole, runOn),
      },
      stageTwoOf(
        family,
        { losses: losses(served.outputs), logits: served.logits, costs },
        config.stageTwo,
        batches.policy,
      ),
    ],
  };
}
