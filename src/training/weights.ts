import type { Family } from '../families/family.ts';
import type { Weight } from '../graph/model.ts';

/** A model's parameters by name. */
export type Weights = Map<string, Float32Array>;

/** Weights as constants of a model. */
export const toConstants = (weights: ReadonlyMap<string, Float32Array>): Map<string, Weight> =>
  new Map([...weights].map(([name, data]) => [name, { data }]));

/** Initial weights, in arrays of their own. @param normal draws standard normal numbers */
export function initialWeights(family: Pick<Family, 'parameters'>, normal: () => number): Weights {
  return new Map(
    [...family.parameters].map(([name, { initial }]) => [name, initial(normal).slice()]),
  );
}
