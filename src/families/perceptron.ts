/** A small perceptron, the last part of most policies. */
import { linear } from '../graph/functions.ts';
import { relu, reshape } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { constant, normal, type Parameters } from './family.ts';

/** The logit of π at exit `t` from features of each sample, [N,inputs] → [N], with one hidden ReLU layer. */
export function definePerceptron(
  parameters: Parameters,
  t: number,
  inputs: number,
  hidden: number,
): (seen: Value) => Value {
  const w1 = parameters.define(
    `policy-${t}-w1`,
    [inputs, hidden],
    normal(inputs * hidden, Math.sqrt(1 / inputs)),
    'policy',
  );
  const b1 = parameters.define(`policy-${t}-b1`, [hidden], constant(hidden, 0), 'policy');
  const w2 = parameters.define(
    `policy-${t}-w2`,
    [hidden, 1],
    normal(hidden, Math.sqrt(1 / hidden)),
    'policy',
  );
  const b2 = parameters.define(`policy-${t}-b2`, [1], constant(1, 0), 'policy');
  return (seen) => reshape(linear(relu(linear(seen, w1, b1)), w2, b2), [seen.shape[0]!]);
}
