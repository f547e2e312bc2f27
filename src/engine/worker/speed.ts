/** How fast something runs, as running means. */

/** Weight of the newest run in the running means. */
const NEWEST_WEIGHT = 0.2;
/** A run that has to end before a deadline is expected to take its mean time and this many deviations. */
const DEVIATIONS = 6;

/** Running means of how long something takes, and of how far that was from the mean. */
export interface Speed {
  msPerElement: number;
  deviation?: number;
}

/** Records a run. */
export function observe(speed: Speed, msPerElement: number): void {
  const { msPerElement: mean, deviation = 0 } = speed;
  if (mean > 0) speed.deviation = runningMean(deviation, Math.abs(msPerElement - mean));
  speed.msPerElement = runningMean(mean, msPerElement);
}

/** Time that is rarely exceeded, ms per element. */
export const longest = ({ msPerElement, deviation = 0 }: Speed): number =>
  msPerElement + DEVIATIONS * deviation;

/** A mean of 0 means that nothing was measured yet. */
export const runningMean = (mean: number, newest: number): number =>
  mean === 0 ? newest : (1 - NEWEST_WEIGHT) * mean + NEWEST_WEIGHT * newest;
