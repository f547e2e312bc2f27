/** How a shallow-deep network learns: labelled images, cross-entropies at every exit, both stages. */
import { defaultSdn, defineSdn, type SdnConfig } from '../families/sdn.ts';
import type { Family, Values } from '../families/family.ts';
import { logSoftmax } from '../graph/functions.ts';
import { input, mul, neg, reduceSum } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { defaultMuon } from './adam.ts';
import type { Stage } from './loop.ts';
import {
  stageOneOf,
  stageTwoOf,
  type Batches,
  type StageOneConfig,
  type StageTwoConfig,
} from './stages.ts';
import { foldStatistics } from './statistics.ts';
import { unroll } from './unroll.ts';

export interface RecognizeConfig extends Omit<SdnConfig, 'classes'> {
  readonly form: 'sdn';
  readonly batch: number;
  readonly seed: number;
  /**
   * Side of the cut-outs that the layers learn from, pixels. Smaller ones are cheaper, for a first part of the training; the
   * statistics and the policy come from whole images.
   */
  readonly crop: number;
  /** Pixels by which whole images are shifted. */
  readonly shift: number;
  readonly mirror: boolean;
  readonly smoothing: number;
  /** The share of the images that the layers do not learn from: the policy does. */
  readonly held: number;
  readonly stageOne: StageOneConfig;
  readonly stageTwo: StageTwoConfig;
}

export const recognizeDefaults: Record<RecognizeConfig['form'], RecognizeConfig> = {
  sdn: {
    form: 'sdn',
    ...defaultSdn,
    batch: 64,
    seed: 1,
    crop: 32,
    shift: 4,
    mirror: true,
    smoothing: 0.1,
    held: 0.05,
    stageOne: {
      steps: 20_000,
      rate: 2e-3,
      beta: 'uniform',
      adam: { weightDecay: 0.01, beta2: 0.99, kernels: defaultMuon },
    },
    stageTwo: { steps: 400, rate: 2e-3, beta: 0.3, lambda: 0.5, divergence: 'forward' },
  },
};

export const recognizeFamily = (config: RecognizeConfig, classes: number): Family =>
  defineSdn({ ...config, classes }).family;

export interface RecognizeBatches {
  /** `image` [N,C,crop,crop] in [0,1] and `truth` [N,K], to learn layers from. */
  readonly layers: Batches;
  /** Whole images [N,C,side,side] of the same. */
  readonly whole: Batches;
  /** Whole images that the layers did not learn from. */
  readonly policy: Batches;
}

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
        finish: (weights, place) =>
          foldStatistics(normalised, { image }, weights, batches.whole, place),
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
