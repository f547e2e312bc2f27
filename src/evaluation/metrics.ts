/** Quality figures: what is summed over samples, and how the sum is read. */

export interface Metric {
  readonly name: 'psnr_db' | 'nmse_db' | 'accuracy';
  /** What one sample adds: its own figure, or its part of a ratio of sums. */
  sample(output: Float32Array, truth: Float32Array): readonly [number, number];
  /** The figure over all samples. */
  total(parts: readonly (readonly [number, number])[]): number;
  /** Larger is better for PSNR and accuracy, smaller for NMSE: the quality lost from `reference` to `value`, in the figure's unit. */
  loss(reference: number, value: number): number;
  /** Half the width of the figure's 95 % confidence interval, where it is a mean over samples that are drawn. */
  halfWidth?(parts: readonly (readonly [number, number])[]): number;
}

/** Peak signal-to-noise ratio, dB: the mean over images, the output clipped to [0,1] first. */
export const psnr: Metric = {
  name: 'psnr_db',
  sample(output, truth) {
    let sum = 0;
    for (let i = 0; i < truth.length; i++)
      sum += (Math.min(1, Math.max(0, output[i]!)) - truth[i]!) ** 2;
    return [-10 * Math.log10(sum / truth.length), 1];
  },
  total: (parts) => parts.reduce((sum, [value]) => sum + value, 0) / parts.length,
  loss: (reference, value) => reference - value,
};

/** Normalised mean squared error, dB: 10 log₁₀(Σ‖x̂ − x*‖² / Σ‖x*‖²). */
export const nmse: Metric = {
  name: 'nmse_db',
  sample(output, truth) {
    let error = 0;
    let power = 0;
    for (let i = 0; i < truth.length; i++) {
      error += (output[i]! - truth[i]!) ** 2;
      power += truth[i]! ** 2;
    }
    return [error, power];
  },
  total(parts) {
    const sum = (k: 0 | 1): number => parts.reduce((total, part) => total + part[k], 0);
    return 10 * Math.log10(sum(0) / sum(1));
  },
  loss: (reference, value) => value - reference,
};

/** Accuracy, percent: the share of rows of scores [Q,K] whose largest is at the true class, `truth` [Q]; of few-shot tasks the mean over tasks. */
export const accuracy: Metric = {
  name: 'accuracy',
  sample: (scores, truth) => {
    const ways = scores.length / truth.length;
    const hits = truth.reduce(
      (sum, k, q) => sum + (argmax(scores.subarray(q * ways, (q + 1) * ways)) === k ? 1 : 0),
      0,
    );
    return [(100 * hits) / truth.length, 1];
  },
  total: (parts) => parts.reduce((sum, [value]) => sum + value, 0) / parts.length,
  loss: (reference, value) => reference - value,
  halfWidth: (parts) => halfWidth95(parts.map(([value]) => value)),
};

/** 1.96 s/√n: half the width of the 95 % confidence interval of a mean, with s the standard deviation of the values. */
export function halfWidth95(values: readonly number[]): number {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return n < 2 ? Number.POSITIVE_INFINITY : 1.96 * Math.sqrt(squares / (n - 1) / n);
}

/** The place of the largest value; the first of several. */
export const argmax = (values: Float32Array): number =>
  values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
