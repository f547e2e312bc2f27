/** The training stages of DnCNN-stop: noisy patches of clean images, with a loss at every exit. */
import { defineDncnn } from '../../families/dncnn.ts';
import type { Family, Values } from '../../families/family.ts';
import { definePublishedDncnn } from '../../families/published-dncnn.ts';
import { square } from '../../graph/functions.ts';
import { add, input, log, mul, reduceMean, sub } from '../../graph/operators.ts';
import type { Value } from '../../graph/value.ts';
import type { Stage } from '../../training/stage-run.ts';
import { decibels, stageOneOf, stageTwoOf, type Batches } from '../../training/stages.ts';
import { foldStatistics } from '../../training/statistics.ts';
import { unroll } from '../../training/unroll.ts';
import type { DenoiseConfig } from './config.ts';

/**
 * Added to an error, relative to the usual one, before its logarithm: it bounds the ratios between exits while some are
 * untrained, and keeps patches without texture from dominating.
 */
const SOFT = 0.25;
/** Added to every squared error before its logarithm: the error of rounding to 8 bits, 1/(12·255²), or 58.9 dB. */
const ROUNDING = 1 / (12 * 255 ** 2);

/** The DnCNN variant of `config.form`, as served: image [N,C,H,W] → denoised [N,C,H,W]. */
export const denoiseFamily = (config: DenoiseConfig): Family =>
  config.form === 'published' ? definePublishedDncnn(config).family : defineDncnn(config);

/**
 * @param batches of `image` and `clean` [N,C,P,P] in [0,1], and `weight` [N], one over the usual squared error at the
 *   patch's noise level
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
        finish: (weights, runOn) => foldStatistics(published, { image }, weights, batches, runOn),
      },
      second,
    ],
  };
}

/** The mean squared error that such denoisers reach at noise level σ (of 255): about 29 dB at 25, 26 dB at 50. */
export const usualError = (sigma: number): number => 1.2e-3 * (Math.max(sigma, 1) / 25) ** 1.2;
