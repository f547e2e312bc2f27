/** How DnCNN-stop learns: noisy patches of clean images, errors at every exit, both stages. */
import type { NoiseOptions } from '../data/images.ts';
import { defaultDncnn, defineDncnn } from '../families/dncnn.ts';
import type { Family, Values } from '../families/family.ts';
import { defaultPublishedDncnn, definePublishedDncnn } from '../families/published-dncnn.ts';
import { add, input, log, mul, reduceMean, sub } from '../graph/operators.ts';
import { square } from '../graph/functions.ts';
import type { Value } from '../graph/value.ts';
import { defaultMuon } from './adam.ts';
import {
  decibels,
  stageOneOf,
  stageTwoOf,
  type Batches,
  type StageOneConfig,
  type StageTwoConfig,
} from './stages.ts';
import type { Stage } from './loop.ts';
import { foldStatistics } from './statistics.ts';
import { unroll } from './unroll.ts';

export interface DenoiseConfig extends NoiseOptions {
  /** `half`: bias-free at half resolution. `published`: full resolution and batch normalisation, every layer an exit. */
  readonly form: 'half' | 'published';
  readonly channels: 1 | 3;
  readonly features: number;
  readonly depth: number;
  readonly exits: readonly number[];
  readonly hidden: number;
  /** Stage I's loss at an exit; `relative` where absent. */
  readonly loss?: 'relative' | 'log-mse';
  readonly patch: number;
  readonly batch: number;
  readonly seed: number;
  readonly stageOne: StageOneConfig;
  readonly stageTwo: StageTwoConfig;
}

const stageTwo: StageTwoConfig = {
  steps: 600,
  rate: 3e-3,
  beta: 0.05,
  lambda: 0.4,
  divergence: 'forward',
};

/** The recipe of each form. */
export const denoiseDefaults: Record<DenoiseConfig['form'], Omit<DenoiseConfig, 'channels'>> = {
  half: {
    form: 'half',
    ...defaultDncnn,
    sigma: [0.5, 75],
    spread: 'log-uniform',
    clean: 0.05,
    anneal: { from: 25, share: 0.2 },
    clipped: 0.25,
    loss: 'log-mse',
    patch: 64,
    batch: 8,
    seed: 1,
    // After 400 steps the errors are a quarter below those of Adam alone.
    stageOne: {
      steps: 20_000,
      rate: 2e-3,
      beta: 1,
      adam: { kernels: { ...defaultMuon, rate: 10, weightDecay: 0 } },
    },
    stageTwo,
  },
  published: {
    form: 'published',
    ...defaultPublishedDncnn,
    exits: Array.from({ length: defaultPublishedDncnn.depth }, (_, i) => i + 1),
    sigma: [5, 55],
    spread: 'uniform',
    clean: 0,
    clipped: 0.25,
    loss: 'relative',
    patch: 40,
    batch: 8,
    seed: 1,
    stageOne: { steps: 20_000, rate: 1e-3, beta: 1 },
    stageTwo,
  },
};

/**
 * Added to an error relative to the usual one before its logarithm is taken: exits compete by ratios, which stay
 * moderate however bad an untrained exit is, and patches without texture do not outweigh the others.
 */
const SOFT = 0.25;
/** Added to every squared error before its logarithm: about what rounding to 8 bits costs, 1/(12·255²), or 58.9 dB. */
const ROUNDING = 1 / (12 * 255 ** 2);

export const denoiseFamily = (config: DenoiseConfig): Family =>
  config.form === 'published' ? definePublishedDncnn(config).family : defineDncnn(config);

/**
 * The batches' inputs: `image` and `clean` [N,C,P,P] in [0,1], and `weight` [N], one over the squared error that is
 * usual at the patch's noise level.
 */
export function denoiseStages(
  config: DenoiseConfig,
  batches: Batches,
): { family: Family; stages: Stage[] } {
  const { channels, batch, patch } = config;
  const image = input('image', [batch, channels, patch, patch]);
  const clean = input('clean', [batch, channels, patch, patch]);
  const weight = input('weight', [batch]);
  const published = config.form === 'published' ? definePublishedDncnn(config) : undefined;
  const family = published?.family ?? defineDncnn(config);
  const errorsOf = (outputs: readonly Values[]): Value[] =>
    outputs.map(({ denoised }) =>
      add(reduceMean(square(sub(denoised!, clean)), [1, 2, 3]), ROUNDING),
    );
  const learnt = unroll(published?.training ?? family, { image });
  const served = published ? unroll(family, { image }) : learnt;
  const losses = errorsOf(learnt.outputs).map((error) =>
    log(config.loss === 'log-mse' ? error : add(mul(error, weight), SOFT)),
  );
  const costs = family.exits.map((exit) => exit / family.depth);
  const first = stageOneOf(family, losses, config.stageOne, batches);
  const second = stageTwoOf(
    family,
    { losses: errorsOf(served.outputs).map(decibels), logits: served.logits, costs },
    config.stageTwo,
    batches,
  );
  if (!published) return { family, stages: [first, second] };
  return {
    family,
    stages: [
      {
        ...first,
        finish: (weights, place) => foldStatistics(published, { image }, weights, batches, place),
      },
      second,
    ],
  };
}

/** A mean squared error that denoisers of this kind reach at noise level σ (of 255): about 29 dB at 25, 26 dB at 50. */
export const usualError = (sigma: number): number => 1.2e-3 * (Math.max(sigma, 1) / 25) ** 1.2;
