/** The metrics: one row each, used by training, calibration, evaluation and reports. */

/** What one sample adds: its own figure and 1, or its parts of a ratio of sums. */
export type Contribution = readonly [number, number];

/** Unit of a quality lost: dB, or percentage points. */
export type MetricUnit = 'dB' | 'points';

interface MetricRow {
  readonly name: string;
  readonly unit: MetricUnit;
  /** Which figure is better. */
  readonly direction: 'higher' | 'lower';
  /** `mean` of the samples' figures, or 10 log₁₀ of a ratio of sums over the samples. */
  readonly pooling: 'mean' | 'ratio-of-sums';
  /** Whether the figure is always given with a 95 % confidence interval: where samples are drawn and independent. */
  readonly interval: boolean;
  /** Losses that calibration tables have a row for. */
  readonly tolerances: readonly number[];
  /** The loss that a request accepts where it names none. */
  readonly defaultTolerance: number;
  /** @param output of the model for one sample @param truth see each row */
  sample(output: Float32Array, truth: Float32Array): Contribution;
  /** The quality of one request as regrets compare it, where that is not the figure of its sample. */
  request?(output: Float32Array, truth: Float32Array): number;
}

/** How outputs are judged: per sample, per request, over all samples, and as a loss against a reference. */
export interface Metric extends Omit<MetricRow, 'request'> {
  /** The quality of one request, as regrets compare it. */
  request(output: Float32Array, truth: Float32Array): number;
  /** The figure over all samples. */
  total(parts: readonly Contribution[]): number;
  /** The quality lost from `reference` to `value`, in the metric's unit; negative where `value` is better. */
  loss(reference: number, value: number): number;
  /** Half the width of the figure's 95 % confidence interval, for independent samples. */
  halfWidth(parts: readonly Contribution[]): number;
}

const pooled: Record<MetricRow['pooling'], Metric['total']> = {
  mean: (parts) => parts.reduce((sum, [value]) => sum + value, 0) / parts.length,
  'ratio-of-sums': (parts) => {
    const sum = (k: 0 | 1): number => parts.reduce((total, part) => total + part[k], 0);
    return 10 * Math.log10(sum(0) / sum(1));
  },
};

const halfWidths: Record<MetricRow['pooling'], Metric['halfWidth']> = {
  mean: (parts) => halfWidth95(parts.map(([value]) => value)),
  // Delta method: Σa/Σb varies as the mean of (a − r b)/b̄, r being the ratio.
  'ratio-of-sums'(parts) {
    const mean = (k: 0 | 1): number => parts.reduce((sum, part) => sum + part[k], 0) / parts.length;
    const ratio = mean(0) / mean(1);
    return (10 / Math.LN10) * halfWidth95(parts.map(([a, b]) => (a - ratio * b) / mean(0)));
  },
};

const defineMetric = (row: MetricRow): Metric => ({
  request: (output, truth) => pooled[row.pooling]([row.sample(output, truth)]),
  ...row,
  total: pooled[row.pooling],
  loss: (reference, value) => (row.direction === 'higher' ? reference - value : value - reference),
  halfWidth: halfWidths[row.pooling],
});

const decibelTolerances = [0.05, 0.1, 0.2, 0.5];

/** Differences above this PSNR are invisible, dB. */
const VISIBLE_DB = 50;

/**
 * Peak signal-to-noise ratio of outputs clipped to [0,1], dB. `truth` has the shape of the output. That of a request is
 * taken after rounding to 8 bits and is at most 50 dB.
 */
export const psnr = defineMetric({
  name: 'psnr_db',
  unit: 'dB',
  direction: 'higher',
  pooling: 'mean',
  interval: false,
  tolerances: decibelTolerances,
  defaultTolerance: 0.2,
  sample(output, truth) {
    let sum = 0;
    for (let i = 0; i < truth.length; i++)
      sum += (Math.min(1, Math.max(0, output[i]!)) - truth[i]!) ** 2;
    return [-10 * Math.log10(sum / truth.length), 1];
  },
  request(output, truth) {
    let sum = 0;
    for (let i = 0; i < truth.length; i++)
      sum += (Math.round(255 * Math.min(1, Math.max(0, output[i]!))) / 255 - truth[i]!) ** 2;
    const decibels = -10 * Math.log10(sum / truth.length);
    return decibels > VISIBLE_DB ? VISIBLE_DB : decibels;
  },
});

/** Normalised mean squared error 10 log₁₀(Σ‖x̂ − x*‖² / Σ‖x*‖²), dB. `truth` has the shape of the output. */
export const nmse = defineMetric({
  name: 'nmse_db',
  unit: 'dB',
  direction: 'lower',
  pooling: 'ratio-of-sums',
  interval: false,
  tolerances: decibelTolerances,
  defaultTolerance: 0.2,
  sample(output, truth) {
    let error = 0;
    let power = 0;
    for (let i = 0; i < truth.length; i++) {
      error += (output[i]! - truth[i]!) ** 2;
      power += truth[i]! ** 2;
    }
    return [error, power];
  },
});

/** Errors below this share of the target's power are those of float32: −100 dB. */
const ROUNDING = 1e-10;

/**
 * {@link nmse} of a request with a target of any size, dB: finite where the answer is exact or the target is 0, so that
 * regrets are. Errors of −100 dB and less count alike. @throws Error where output and target differ in length
 */
export const relativeError = defineMetric({
  ...nmse,
  name: 'error_db',
  request(output, truth) {
    if (output.length !== truth.length)
      throw new Error(
        `The target has ${truth.length} numbers a sample; the network gives ${output.length}.`,
      );
    const [error, power] = nmse.sample(output, truth);
    return 10 * Math.log10(error / Math.max(power, Number.EPSILON) + ROUNDING);
  },
});

/**
 * Accuracy, percent: the share of rows of scores [Q,K] whose largest score is at the true class, `truth` [Q]. Of
 * few-shot tasks the mean over tasks.
 */
export const accuracy = defineMetric({
  name: 'accuracy',
  unit: 'points',
  direction: 'higher',
  pooling: 'mean',
  interval: true,
  tolerances: [0.5, 1, 2],
  defaultTolerance: 1,
  sample(scores, truth) {
    const ways = scores.length / truth.length;
    const hits = truth.reduce(
      (sum, k, q) => sum + (argmax(scores.subarray(q * ways, (q + 1) * ways)) === k ? 1 : 0),
      0,
    );
    return [(100 * hits) / truth.length, 1];
  },
});

/** 1.96 s/√n: half the width of the 95 % confidence interval of a mean, with s the standard deviation of the values. */
export function halfWidth95(values: readonly number[]): number {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return n < 2 ? Number.POSITIVE_INFINITY : 1.96 * Math.sqrt(squares / (n - 1) / n);
}

/** The index of the largest value, the first of equal ones. */
export const argmax = (values: Float32Array): number =>
  values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
