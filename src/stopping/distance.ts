/** How far an early answer is from the one at full depth. */

/** Σ (early − full)² and Σ full² over the values of one output. */
export interface SquaredSums {
  readonly difference: number;
  readonly full: number;
}

/** @throws RangeError where the lengths differ */
export function squaredSums(early: Float32Array, full: Float32Array): SquaredSums {
  if (early.length !== full.length)
    throw new RangeError(`${early.length} values cannot be compared with ${full.length}`);
  let [difference, energy] = [0, 0];
  for (let i = 0; i < full.length; i++) {
    difference += (early[i]! - full[i]!) ** 2;
    energy += full[i]! ** 2;
  }
  return { difference, full: energy };
}

/** ‖early − full‖₂ / ‖full‖₂ over all samples of a request; 0 where both are 0. */
export function relativeDistance(samples: readonly SquaredSums[]): number {
  const difference = samples.reduce((sum, one) => sum + one.difference, 0);
  const full = samples.reduce((sum, one) => sum + one.full, 0);
  return difference === 0 ? 0 : Math.sqrt(difference / full);
}
