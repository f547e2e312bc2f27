/** Rounds features to uint8 codes, whose scale is in units of the size of each sample. */

/** The largest code. */
const MAX_CODE = 255;
/** Largest numbers that codes may stand for, of the largest that occurs: what is above is clipped. */
const CLIPPING = [1, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.2, 0.16, 0.13, 0.1];

/** Keeps what is all zero from being divided by. */
const TINY = 1e-12;

/**
 * The scale, in units of the samples' sizes, whose rounded features are closest to the float ones: groups count by how much
 * worse it is for them than their own best scale.
 */
export function bestScale(
  features: readonly Float32Array[],
  exact: readonly Float32Array[],
  sizes: readonly Float32Array[],
): number {
  const largest = Math.max(TINY, ...features.map((group, i) => peakOf(group, sizes[i]!)));
  const scales = CLIPPING.map((share) => (share * largest) / MAX_CODE);
  const total = scales.map(() => 0);
  for (const [i, group] of features.entries()) {
    const errors = scales.map((scale) => roundingError(group, exact[i]!, sizes[i]!, scale));
    const least = Math.max(Math.min(...errors), TINY);
    errors.forEach((error, k) => (total[k]! += error / least));
  }
  return scales[total.indexOf(Math.min(...total))]!;
}

/** The largest feature in units of its sample's size. */
function peakOf(features: Float32Array, sizes: Float32Array): number {
  const length = features.length / sizes.length;
  let peak = 0;
  for (let i = 0; i < features.length; i++)
    peak = Math.max(peak, features[i]! / sizes[Math.floor(i / length)]!);
  return peak;
}

/** The squared error of rounded features, each sample's in units of its size. */
function roundingError(
  features: Float32Array,
  exact: Float32Array,
  sizes: Float32Array,
  scale: number,
): number {
  const length = features.length / sizes.length;
  let error = 0;
  for (let n = 0; n < sizes.length; n++) {
    const size = sizes[n]!;
    for (let i = n * length; i < (n + 1) * length; i++) {
      const code = Math.min(Math.round(features[i]! / (scale * size)), MAX_CODE);
      error += (code * scale - exact[i]! / size) ** 2;
    }
  }
  return error;
}

/** Features as their codes stand for them. */
export const rounded = (
  features: readonly Float32Array[],
  sizes: readonly Float32Array[],
  scale: number,
): Float32Array[] =>
  features.map((group, i) => {
    const length = group.length / sizes[i]!.length;
    return group.map((value, k) => {
      const unit = scale * sizes[i]![Math.floor(k / length)]!;
      return Math.min(Math.round(value / unit), MAX_CODE) * unit;
    });
  });
