/** Distributions of the nonzero entries of sparse signals, each with second moment 1. */
import type { Random } from './random.ts';

/** Draws one nonzero entry, by the name of its distribution. */
export const amplitudes = {
  normal: (random: Random) => random.normal(),
  laplace: (random: Random) =>
    ((random.uniform() < 0.5 ? -1 : 1) * -Math.log(1 - random.uniform())) / Math.SQRT2,
  sign: (random: Random) => (random.uniform() < 0.5 ? -1 : 1),
  /** Uniform in (0, √3]. */
  positive: (random: Random) => Math.sqrt(3) * (1 - random.uniform()),
  /** Student's t with 3 degrees of freedom over its standard deviation √3: z / √(χ²₃/3) / √3. */
  student: (random: Random) =>
    random.normal() / Math.hypot(random.normal(), random.normal(), random.normal()),
} satisfies Record<string, (random: Random) => number>;

/** The name of a distribution of nonzero entries. */
export type Amplitude = keyof typeof amplitudes;
