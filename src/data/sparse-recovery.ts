/** Sparse recovery's data: a measurement matrix of given conditioning, and batches of sparse signals seen through it. */
import { EigenvalueDecomposition, Matrix as Dense } from 'ml-matrix';
import type { Random } from './random.ts';

import type { Matrix } from '../util/matrix.ts';

export type { Matrix };

/**
 * A Gaussian matrix whose singular values are replaced by a log-spaced spectrum, with columns of length one.
 *
 * @param condition the largest singular value over the smallest, before the columns are normalised
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

/** As above, before the columns are normalised; there are no more rows than columns. */
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

/** Signals of one's own [count,n], row after row. */
export interface Signals {
  readonly count: number;
  readonly length: number;
  readonly data: Float32Array;
}

export interface SignalOptions {
  /** The share of entries that are not zero. */
  readonly sparsity: number;
  /** Signal-to-noise ratios, dB; one is drawn for each sample. */
  readonly snr: readonly number[];
  /** What the entries that are not zero are drawn from; all of variance one. */
  readonly values?: 'normal' | 'laplace' | 'sign';
  /** Where given, the signals are rows of these, taken at random, and the sparsity and the values say nothing. */
  readonly signals?: Signals | undefined;
}

export interface SignalBatch {
  /** [N,m]. */
  readonly measurements: Float32Array;
  /** [N,n]. */
  readonly signals: Float32Array;
  /** The signal-to-noise ratio of each sample, dB. */
  readonly snr: Float32Array;
}

/** Draws batches b = A x + ε; buffers are reused. */
export class SignalSampler {
  private readonly batch: SignalBatch;
  private readonly noise: Float32Array;
  private readonly everywhere: readonly number[];

  constructor(
    private readonly matrix: Matrix,
    private readonly random: Random,
    count: number,
    private readonly options: SignalOptions,
  ) {
    this.batch = {
      measurements: new Float32Array(count * matrix.rows),
      signals: new Float32Array(count * matrix.columns),
      snr: new Float32Array(count),
    };
    this.noise = new Float32Array(matrix.rows);
    this.everywhere = Array.from({ length: matrix.columns }, (_, j) => j);
  }

  next(): SignalBatch {
    const { rows, columns } = this.matrix;
    const { measurements, signals, snr } = this.batch;
    for (let i = 0; i < snr.length; i++) {
      snr[i] = this.options.snr[this.random.integer(this.options.snr.length)]!;
      const signal = signals.subarray(i * columns, (i + 1) * columns);
      this.measure(
        signal,
        this.draw(signal),
        snr[i]!,
        measurements.subarray(i * rows, (i + 1) * rows),
      );
    }
    return this.batch;
  }

  /** Fills the signal; gives the places that are not zero. */
  private draw(signal: Float32Array): readonly number[] {
    const { signals } = this.options;
    if (signals) {
      const from = this.random.integer(signals.count) * signal.length;
      signal.set(signals.data.subarray(from, from + signal.length));
      return this.everywhere;
    }
    const support: number[] = [];
    for (let j = 0; j < signal.length; j++) {
      const present = this.random.uniform() < this.options.sparsity;
      signal[j] = present ? this.value() : 0;
      if (present) support.push(j);
    }
    return support;
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

  private value(): number {
    const { random } = this;
    switch (this.options.values ?? 'normal') {
      case 'normal':
        return random.normal();
      case 'sign':
        return random.uniform() < 0.5 ? -1 : 1;
      case 'laplace':
        return ((random.uniform() < 0.5 ? -1 : 1) * -Math.log(1 - random.uniform())) / Math.SQRT2;
    }
  }
}

/** Those whose number is kept. */
export function pickSignals(
  { count, length, data }: Signals,
  keep: (i: number) => boolean,
): Signals {
  const kept = Array.from({ length: count }, (_, i) => i).filter(keep);
  const picked = new Float32Array(kept.length * length);
  kept.forEach((i, to) => picked.set(data.subarray(i * length, (i + 1) * length), to * length));
  return { count: kept.length, length, data: picked };
}

/** The root mean square of every entry over the signals, [n]; of those that hardly occur a millionth of the largest. */
export function scalesOf({ count, length, data }: Signals): Float32Array {
  const powers = new Float64Array(length);
  data.forEach((value, i) => (powers[i % length]! += value * value));
  const least = 1e-12 * powers.reduce((a, b) => Math.max(a, b), 1e-30);
  return Float32Array.from(powers, (power) => Math.sqrt(Math.max(power, least) / count));
}
