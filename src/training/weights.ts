import type { Family } from '../families/family.ts';

/** A model's parameters by name. */
export type Weights = Map<string, Float32Array>;

/** Fresh weights; `normal` draws standard normal numbers. */
export function initialWeights(family: Family, normal: () => number): Weights {
  return new Map([...family.parameters].map(([name, { initial }]) => [name, initial(normal)]));
}
