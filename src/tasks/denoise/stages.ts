/** The training stages of DnCNN-stop: noisy patches of clean images, with a loss at every exit. */
import { defineDncnn } from '../../families/dncnn.ts';
import type { Family, Values } from '../../families/family.ts';
import { definePublishedDncnn } from '../../families/published-dncnn.ts';
import { square } from '../../graph/functions.ts';
import { add, input, log, max, mul, reduceMean, reshape, sub } from '../../graph/operators.ts';
import { known, type Value } from '../../graph/value.ts';
import type { Random } from '../../data/random.ts';
import { cosine } from '../../training/schedule.ts';
import type { RunOn, Stage } from '../../training/stage-run.ts';
import {
  decibels,
  parametersOf,
  stageOneOf,
  stageTwoOf,
  type Batches,
} from '../../training/stages.ts';
import { foldStatistics } from '../../training/statistics.ts';
import { drawRows, tabulate, type Table } from '../../training/table.ts';
import { unroll } from '../../training/unroll.ts';
import type { Weights } from '../../training/weights.ts';
import type { DenoiseConfig } from './config.ts';

/**
 * Added to an error, relative to the usual one, before its logarithm: it bounds the ratios between exits while some are
 * untrained, and keeps patches without texture from dominating.
 */
const SOFT = 0.25;
/** Added to every squared error before its logarithm: the error of rounding to 8 bits, 1/(12·255²), or 58.9 dB. */
const ROUNDING = 1 / (12 * 255 ** 2);
/** A squared error whose PSNR is 50 dB: what is beyond cannot be seen, and is worth no compute. */
const INVISIBLE = 1e-5;
/** Added to noise levels before their logarithm, of 255. */
const LEAST_SIGMA = 0.5;

/** The DnCNN variant of `config.form`, as served: image [N,C,H,W] → denoised [N,C,H,W]. */
export const denoiseFamily = (config: DenoiseConfig): Family =>
  config.form === 'published' ? definePublishedDncnn(config).family : defineDncnn(config);

/** The batches of a denoising model's stages. */
export interface DenoiseBatches extends Batches {
  /** Single images of the traffic, the same ones from the first on in every call: `image` and `clean` [1,C,S,S], `sigma` [1]. */
  readonly samples: () => Batches;
}

/**
 * @param batches of `image` and `clean` [N,C,P,P] in [0,1], and `weight` [N], one over the usual squared error at the
 *   patch's noise level
 * @param random draws the rows that noise level and policy are trained on
 */
export function denoiseStages(
  config: DenoiseConfig,
  batches: DenoiseBatches,
  random: Random,
): { family: Family; stages: Stage[] } {
  const { channels, batch, patch } = config;
  const image = input('image', [batch, channels, patch, patch]);
  const clean = input('clean', [batch, channels, patch, patch]);
  const weight = input('weight', [batch]);
  const published = config.form === 'published' ? definePublishedDncnn(config) : undefined;
  const family = published?.family ?? defineDncnn(config);
  const learnt = unroll(published?.training ?? family, { image });
  const served = published ? unroll(family, { image }) : learnt;
  // The untouched image has nothing to learn.
  const losses = errorsOf(learnt.outputs, clean)
    .filter((_, i) => family.exits[i]! > 0)
    .map((error) => log(config.loss === 'log-mse' ? error : add(mul(error, weight), SOFT)));
  const first = stageOneOf(family, losses, config.stageOne, batches);
  if (family.statistic) {
    const rest = stagesOnSamples(family, family.statistic, config, batches, random);
    return { family, stages: [first, ...rest] };
  }
  const targets = {
    losses: errorsOf(served.outputs, clean).map(decibels),
    logits: served.logits,
    costs: family.exits.map((exit) => exit / family.depth),
  };
  const second = stageTwoOf(family, targets, config.stageTwo, batches);
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

/** The squared error at every exit, each [N], with that of rounding to 8 bits. */
const errorsOf = (outputs: readonly Values[], clean: Value): Value[] =>
  outputs.map(({ denoised }) =>
    add(reduceMean(square(sub(denoised!, clean)), [1, 2, 3]), ROUNDING),
  );

/**
 * Noise level and policy, on a table with one row for each image: the statistics that they read, and the errors at the exits.
 * Whole images are larger than the patches of Stage I, and the layers do not change any more.
 */
function stagesOnSamples(
  family: Family,
  { of }: NonNullable<Family['statistic']>,
  config: DenoiseConfig,
  batches: DenoiseBatches,
  random: Random,
): Stage[] {
  const { channels, stageTwo, samples: { count, batch } = { count: 1, batch: 1 } } = config;
  const image = input('image', [1, channels, '2*h', '2*w']);
  const clean = input('clean', [1, channels, '2*h', '2*w']);
  const { outputs, reads } = unroll(family, { image });
  const columns: Record<string, Value> = { level: input('sigma', [1]), seen: reads[0]!.seen! };
  family.exits.forEach((t, i) => {
    columns[`error-${t}`] = errorsOf([outputs[i]!], clean)[0]!;
    if (t > 0 && t < family.depth) columns[`means-${t}`] = reads[i]!.means!;
  });
  const rows = (name: string): Value => input(name, [batch, known(columns[name]!.shape.at(-1))]);
  const row = (name: string): Value => reshape(rows(name), [batch]);
  const seen = rows('seen');
  let table: Table | undefined;
  const prepared = {
    batch: () => drawRows(table!, batch, random),
    start: async (weights: Weights, runOn: RunOn, onProgress: (share: number) => void) => {
      table ??= await tabulate(columns, weights, {
        count,
        runOn,
        next: batches.samples().next,
        onProgress,
      });
    },
  };
  const level = log(add(of({ seen }), LEAST_SIGMA));
  const statistic: Stage = {
    name: 'noise-level',
    loss: reduceMean(square(sub(level, log(add(row('level'), LEAST_SIGMA))))),
    learn: parametersOf(family, 'statistic'),
    rate: cosine(stageTwo.rate),
    steps: stageTwo.steps,
    timeShare: 0.5,
    fillsTime: false,
    ...prepared,
  };
  const losses = family.exits.map((t) => decibels(max(row(`error-${t}`), INVISIBLE)));
  const logits = family.exits
    .slice(0, -1)
    .map((t) => family.policy(t, { seen, ...(t > 0 && { means: rows(`means-${t}`) }) }));
  const costs = family.exits.map((exit) => exit / family.depth);
  const policy = stageTwoOf(family, { losses, logits, costs }, stageTwo, { next: prepared.batch });
  return [statistic, { ...policy, start: prepared.start }];
}

/** The mean squared error that such denoisers reach at noise level σ (of 255): about 29 dB at 25, 26 dB at 50. */
export const usualError = (sigma: number): number => 1.2e-3 * (Math.max(sigma, 1) / 25) ** 1.2;
