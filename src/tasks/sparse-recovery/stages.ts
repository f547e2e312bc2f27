/** The training stages of sparse recovery: measurements of sparse signals, with a loss at every exit. */
import type { Family } from '../../families/family.ts';
import {
  defaultCoupled,
  defaultPublished,
  defineCoupledLista,
  definePublishedLista,
} from '../../families/lista.ts';
import type { Matrix } from '../../families/matrix.ts';
import { defaultVamp, defineVamp } from '../../families/vamp.ts';
import { square } from '../../graph/functions.ts';
import { add, div, input, log, mul, reduceMean, sub } from '../../graph/operators.ts';
import type { Stage } from '../../training/stage-run.ts';
import {
  decibels,
  stageOneOf,
  stageThreeOf,
  stageTwoOf,
  type Batches,
} from '../../training/stages.ts';
import { unroll } from '../../training/unroll.ts';
import type { RecoveryConfig } from './config.ts';

/**
 * The network of a form: measurements [N,m] → signal [N,n].
 * @param scales root mean square of each signal entry, [n]; only `vamp` uses it
 */
export function recoveryFamily(
  { form, depth, exits }: Pick<RecoveryConfig, 'form' | 'depth' | 'exits'>,
  matrix: Matrix,
  scales?: Float32Array,
): Family {
  switch (form) {
    case 'vamp':
      return defineVamp({
        ...defaultVamp,
        matrix,
        depth,
        exits: exits ?? usualExits(depth),
        scales,
      });
    case 'coupled':
      return defineCoupledLista({ ...defaultCoupled, matrix, depth });
    case 'published':
      return definePublishedLista({ ...defaultPublished, matrix, depth });
  }
}

/** Depths up to which every layer is an exit, and the exits of deeper networks. */
const SHALLOW = 12;
const DEEP_EXITS = [8, 14];

/**
 * Few exits where the network is deep: answers that are still settling differ by chance, so that one of many
 * exits is often better than the last and no rule can keep to the best.
 */
const usualExits = (depth: number): number[] | undefined =>
  depth <= SHALLOW ? undefined : [...DEEP_EXITS.filter((exit) => exit < depth), depth];

/** Added to the relative error: below it, a better recovery gains nothing. The best of the traffic is about 1e-8. */
export const ENOUGH = 1e-9;

/** The variance of the error in the published likelihood of a signal. */
const VARIANCE = 0.14;

/**
 * The loss of the layers is the logarithm of the relative error, so that all noise levels have the same weight; in the
 * published form it is the squared error over twice its variance.
 * @param batches of `measurements` [N,m] and `truth` [N,n]
 * @param scales the root mean square of every entry of the signals, [n]
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
