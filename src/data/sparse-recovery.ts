/** Data for sparse recovery: measurement matrices of given condition number, and batches of sparse signals with measurements. */
import { EigenvalueDecomposition, Matrix as Dense } from 'ml-matrix';
import { amplitudes, type Amplitude } from './amplitudes.ts';
import type { Choice, Random } from './random.ts';

import type { Matrix } from '../util/matrix.ts';

/** The type of `measurementMatrix`, re-exported for its callers. */
export type { Matrix };

/**
 * A Gaussian matrix whose singular values are replaced by a log-spaced spectrum, with columns of unit norm.
 *
 * @param condition condition number before the columns are normalised
 */
export function measurementMatrix(
  rows: number,
  columns: number,
  random: Random,
  condition = 5,
): Matrix {
  const a =
    rows <= columns
      ? conditioned(rows, columns, random, condition)
      : conditioned(columns, rows, random, condition).transpose();
  for (let j = 0; j < columns; j++)
    a.setColumn(j, a.getColumnVector(j).div(a.getColumnVector(j).norm()));
  return { rows, columns, data: Float32Array.from(a.to1DArray()) };
}

/** The matrix before its columns are normalised; rows ≤ columns. */
function conditioned(rows: number, columns: number, random: Random, condition: number): Dense {
  const gaussian = Dense.from1DArray(
    rows,
    columns,
    Array.from({ length: rows * columns }, random.normal),
  );
  // A = U S Vᵀ, so U diag(target / s) Uᵀ A has the same singular vectors and the target's values; U comes from A Aᵀ.
  const { eigenvectorMatrix: u, realEigenvalues } = new EigenvalueDecomposition(
    gaussian.mmul(gaussian.transpose()),
    {
      assumeSymmetric: true,
    },
  );
  const order = realEigenvalues
    .map((_, i) => i)
    .sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  const scale = new Array<number>(rows);
  order.forEach(
    (i, rank) =>
      (scale[i] = condition ** (-rank / Math.max(rows - 1, 1)) / Math.sqrt(realEigenvalues[i]!)),
  );
  return u.mmul(Dense.diag(scale)).mmul(u.transpose()).mmul(gaussian);
}

/** Given signals [count,n], row after row. */
export interface Signals {
  readonly count: number;
  readonly length: number;
  readonly data: Float32Array;
}

/** What `SignalSampler` draws: sparsity, noise, amplitudes and scale of each sample. */
export interface SignalOptions {
  /** Share of nonzero entries; at least one entry is nonzero. */
  readonly sparsity: Choice;
  /** Signal-to-noise ratio, dB. */
  readonly snr: Choice;
  /** Distribution of the nonzero entries, or a list to draw from. */
  readonly values?: Amplitude | readonly Amplitude[];
  /** Factor applied to signal, noise and measurements; default 1. */
  readonly scale?: Choice;
  /** Draw rows of these signals instead; sparsity and amplitudes are then ignored. */
  readonly signals?: Signals | undefined;
}

/** N samples and the conditions drawn for each. */
export interface SignalBatch {
  /** [N,m]. */
  readonly measurements: Float32Array;
  /** [N,n]. */
  readonly signals: Float32Array;
  /** [N], dB. */
  readonly snr: Float32Array;
  /** [N]. */
  readonly sparsity: Float32Array;
  /** [N]. */
  readonly scale: Float32Array;
  /** [N]. */
  readonly values: Amplitude[];
}

/** Draws batches b = A x + ε; options that are ranges or lists are drawn per sample. Buffers are reused. */
export class SignalSampler {
  private readonly batch: SignalBatch;
  private readonly noise: Float32Array;
  private readonly everywhere: readonly number[];
  private readonly laws: readonly Amplitude[];

  constructor(
    private readonly matrix: Matrix,
    private readonly random: Random,
    count: number,
    private readonly options: SignalOptions,
  ) {
    const { values = 'normal' } = options;
    this.laws = typeof values === 'string' ? [values] : values;
    this.batch = {
      measurements: new Float32Array(count * matrix.rows),
      signals: new Float32Array(count * matrix.columns),
      snr: new Float32Array(count),
      sparsity: new Float32Array(count),
      scale: new Float32Array(count),
      values: new Array<Amplitude>(count).fill(this.laws[0]!),
    };
    this.noise = new Float32Array(matrix.rows);
    this.everywhere = Array.from({ length: matrix.columns }, (_, j) => j);
  }

  next(): SignalBatch {
    const { batch, options, random } = this;
    const { rows, columns } = this.matrix;
    for (let i = 0; i < batch.snr.length; i++) {
      const snr = (batch.snr[i] = random.choose(options.snr));
      const signal = batch.signals.subarray(i * columns, (i + 1) * columns);
      const measured = batch.measurements.subarray(i * rows, (i + 1) * rows);
      this.measure(signal, this.draw(signal, i), snr, measured);
      // Drawn last, so that the other random numbers do not depend on it.
      const scale = (batch.scale[i] = Math.fround(random.choose(options.scale ?? 1)));
      for (const values of scale === 1 ? [] : [signal, measured])
        for (let j = 0; j < values.length; j++) values[j]! *= scale;
    }
    return batch;
  }

  /** Fills the signal of sample `i` and returns the indices of its nonzero entries. */
  private draw(signal: Float32Array, i: number): readonly number[] {
    const { random, laws, batch } = this;
    const { signals } = this.options;
    if (signals) {
      const from = random.integer(signals.count) * signal.length;
      signal.set(signals.data.subarray(from, from + signal.length));
      batch.sparsity[i] = 1;
      return this.everywhere;
    }
    const sparsity = (batch.sparsity[i] = random.choose(this.options.sparsity));
    const law = (batch.values[i] = laws.length === 1 ? laws[0]! : random.item(laws));
    const support: number[] = [];
    for (let j = 0; j < signal.length; j++) {
      const present = random.uniform() < sparsity;
      signal[j] = present ? amplitudes[law](random) : 0;
      if (present) support.push(j);
    }
    if (support.length > 0) return support;
    // A signal of zeros has no signal-to-noise ratio.
    const only = random.integer(signal.length);
    signal[only] = amplitudes[law](random);
    return [only];
  }

  private measure(
    signal: Float32Array,
    support: readonly number[],
    snr: number,
    measured: Float32Array,
  ): void {
    const { matrix, noise } = this;
    this.random.fillNormal(noise);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < measured.length; i++) {
      let value = 0;
      for (const j of support) value += matrix.data[i * matrix.columns + j]! * signal[j]!;
      measured[i] = value;
      sum += value;
      squares += value * value;
    }
    const deviation = Math.sqrt(
      Math.max(squares / measured.length - (sum / measured.length) ** 2, 0),
    );
    const scale = deviation * 10 ** (-snr / 20);
    for (let i = 0; i < measured.length; i++) measured[i]! += scale * noise[i]!;
  }
}

/** The signals whose index passes the filter. */
export function pickSignals(
  { count, length, data }: Signals,
  keep: (i: number) => boolean,
): Signals {
  const kept = Array.from({ length: count }, (_, i) => i).filter(keep);
  const picked = new Float32Array(kept.length * length);
  kept.forEach((i, to) => picked.set(data.subarray(i * length, (i + 1) * length), to * length));
  return { count: kept.length, length, data: picked };
}

/** Root mean square of every entry over the signals, [n]; at least a millionth of the largest. */
export function scalesOf({ count, length, data }: Signals): Float32Array {
  const powers = new Float64Array(length);
  data.forEach((value, i) => (powers[i % length]! += value * value));
  const least = 1e-12 * powers.reduce((a, b) => Math.max(a, b), 1e-30);
  return Float32Array.from(powers, (power) => Math.sqrt(Math.max(power, least) / count));
}
