/** A small perceptron, the last part of most policies. */
import { linear } from '../graph/functions.ts';
import { relu, reshape } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { constant, normal, type Parameters } from './family.ts';

/**
 * One number from features of each sample, [N,inputs] → [N], with one hidden ReLU layer: the logit of π at exit `at`, or
 * the input statistic of that name.
 */
export function definePerceptron(
  parameters: Parameters,
  at: number | string,
  inputs: number,
  hidden: number,
  role: 'policy' | 'statistic' = 'policy',
): (seen: Value) => Value {
  const prefix = typeof at === 'number' ? `policy-${at}` : at;
  const w1 = parameters.define(
    `${prefix}-w1`,
    [inputs, hidden],
    normal(inputs * hidden, Math.sqrt(1 / inputs)),
    role,
  );
  const b1 = parameters.define(`${prefix}-b1`, [hidden], constant(hidden, 0), role);
  const w2 = parameters.define(
    `${prefix}-w2`,
    [hidden, 1],
    normal(hidden, Math.sqrt(1 / hidden)),
    role,
  );
  const b2 = parameters.define(`${prefix}-b2`, [1], constant(1, 0), role);
  return (seen) => reshape(linear(relu(linear(seen, w1, b1)), w2, b2), [seen.shape[0]!]);
}
