/** How LISTA-stop learns: measurements of sparse signals, errors at every exit, both stages. */
import type { Family } from '../families/family.ts';
import {
  defineCoupledLista,
  definePublishedLista,
  defaultCoupled,
  defaultPublished,
} from '../families/lista.ts';
import type { Matrix } from '../families/matrix.ts';
import { defaultVamp, defineVamp } from '../families/vamp.ts';
import { square } from '../graph/functions.ts';
import { add, div, input, log, mul, reduceMean, sub } from '../graph/operators.ts';
import type { Stage } from './loop.ts';
import {
  decibels,
  stageOneOf,
  stageThreeOf,
  stageTwoOf,
  type Batches,
  type StageOneConfig,
  type StageThreeConfig,
  type StageTwoConfig,
} from './stages.ts';
import { unroll } from './unroll.ts';

export interface RecoveryConfig {
  readonly form: 'vamp' | 'coupled' | 'published';
  readonly depth: number;
  /** The share of entries that are not zero. */
  readonly sparsity: number;
  /** Signal-to-noise ratios in training, dB. */
  readonly snr: readonly number[];
  readonly batch: number;
  readonly seed: number;
  readonly stageOne: StageOneConfig;
  readonly stageTwo: StageTwoConfig;
  readonly stageThree: StageThreeConfig;
}

const common = {
  sparsity: 0.1,
  snr: [20, 30, 40],
  batch: 256,
  seed: 1,
  stageThree: { steps: 0, rate: 1e-3 },
} as const;
const stageTwo: StageTwoConfig = {
  steps: 1500,
  rate: 3e-3,
  beta: 0.1,
  lambda: 1.5,
  divergence: 'forward',
};

/** The recipe of each form. */
export const recoveryDefaults: Record<RecoveryConfig['form'], RecoveryConfig> = {
  vamp: {
    form: 'vamp',
    depth: defaultVamp.depth,
    ...common,
    stageOne: { steps: 1000, rate: 1e-2, beta: 2 },
    // What a sample gains by one layer more is known in the mean alone: the reverse divergence stops by the mean.
    stageTwo: { ...stageTwo, steps: 600, rate: 1e-2, beta: 0.03, divergence: 'reverse' },
  },
  coupled: {
    form: 'coupled',
    depth: defaultCoupled.depth,
    ...common,
    stageOne: { steps: 3500, rate: 1e-3, beta: 2 },
    stageTwo,
  },
  published: {
    form: 'published',
    depth: defaultPublished.depth,
    ...common,
    stageOne: { steps: 20_000, rate: 5e-4, beta: 1 },
    stageTwo,
  },
};

export function recoveryFamily(
  { form, depth }: Pick<RecoveryConfig, 'form' | 'depth'>,
  matrix: Matrix,
  scales?: Float32Array,
): Family {
  switch (form) {
    case 'vamp':
      return defineVamp({ ...defaultVamp, matrix, depth, scales });
    case 'coupled':
      return defineCoupledLista({ ...defaultCoupled, matrix, depth });
    case 'published':
      return definePublishedLista({ ...defaultPublished, matrix, depth });
  }
}

/** Adds to the relative error: signals that are recovered this well need no better. */
export const ENOUGH = 1e-4;

/** The variance of the error in the published likelihood of a signal. */
const VARIANCE = 0.14;

/**
 * The batches' inputs: `measurements` [N,m] and `truth` [N,n]. The loss of the layers is the logarithm of the relative error,
 * so that every noise level counts the same; in the published form it is the squared error over twice its variance.
 */
export function recoveryStages(
  config: RecoveryConfig,
  matrix: Matrix,
  batches: Batches,
  scales?: Float32Array,
): { family: Family; stages: Stage[] } {
  const { batch } = config;
  const family = recoveryFamily(config, matrix, scales);
  const measurements = input('measurements', [batch, matrix.rows]);
  const truth = input('truth', [batch, matrix.columns]);
  const unrolled = unroll(family, { measurements });
  const power = add(reduceMean(square(truth), [1]), 1e-9);
  const squares = unrolled.outputs.map(({ signal }) =>
    reduceMean(square(sub(signal!, truth)), [1]),
  );
  const errors = squares.map((error) => add(div(error, power), ENOUGH));
  const likelihoods = squares.map((error) => mul(error, matrix.columns / (2 * VARIANCE)));
  const costs = family.exits.map((exit) => exit / family.depth);
  const learning = { losses: errors.map(decibels), logits: unrolled.logits, costs };
  return {
    family,
    stages: [
      stageOneOf(
        family,
        config.form === 'published' ? likelihoods : errors.map(log),
        config.stageOne,
        batches,
      ),
      stageTwoOf(family, learning, config.stageTwo, batches),
      stageThreeOf(family, learning, config.stageThree, config.stageTwo, batches),
    ],
  };
}
