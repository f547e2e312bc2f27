/** The policy of unfolded VAMP. */
import { add, concat, log, matmul } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { type Parameters, type Values } from './family.ts';
import { definePerceptron } from './perceptron.ts';
import type { Constants } from './vamp-constants.ts';
import { TINY } from './vamp-layer.ts';

/** Numbers that the policy sees: the six logarithms below, as linear functions of each other. */
export const POLICY_INPUTS = 6;

/**
 * A perceptron on the error that the layer expects of its estimate, its fall since the exit before, the variances of the
 * prediction's error and of the noise, and the estimated sparsity and amplitude.
 */
export function definePolicy(
  parameters: Parameters,
  { policyFeatures }: Constants,
  t: number,
  hidden: number,
): (read: Values) => Value {
  const perceptron = definePerceptron(parameters, t, POLICY_INPUTS, hidden);
  return ({ uncertainty, before, levels }) =>
    perceptron(matmul(log(add(concat([uncertainty!, before!, levels!], 1), TINY)), policyFeatures));
}
