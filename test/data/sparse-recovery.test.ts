import { Matrix as Dense, SVD } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import {
  measurementMatrix,
  pickSignals,
  scalesOf,
  SignalSampler,
  type Matrix,
} from '../../src/data/sparse-recovery.ts';

const dense = ({ rows, columns, data }: Matrix): Dense =>
  Dense.from1DArray(rows, columns, Array.from(data));

describe('measurementMatrix', () => {
  it.each([
    [20, 40],
    [40, 20],
    [1, 5],
    [16, 16],
  ])('%i×%i: columns of length one, conditioning near the one asked for', (rows, columns) => {
    const matrix = measurementMatrix(rows, columns, new Random(5), 5);
    const a = dense(matrix);
    for (let j = 0; j < columns; j++) expect(a.getColumnVector(j).norm()).toBeCloseTo(1, 5);
    const { diagonal } = new SVD(a, { autoTranspose: true });
    const values = diagonal.slice(0, Math.min(rows, columns));
    // Normalising the columns moves the singular values a little, or, with one row, makes every entry ±1.
    const ratio = Math.max(...values) / Math.min(...values);
    if (rows > 1) expect(ratio).toBeGreaterThan(3.5);
    expect(ratio).toBeLessThan(9);
  });

  it('is the same for the same seed, another for another', () => {
    const of = (seed: number): Float32Array => measurementMatrix(6, 12, new Random(seed)).data;
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
  });

  it(
    'has the step size of the published experiment at its size: λ_max(AᵀA) ≈ 6.6',
    { timeout: 60_000 },
    () => {
      const matrix = measurementMatrix(250, 500, new Random(1));
      const a = dense(matrix);
      let v = Dense.columnVector(Array.from({ length: 500 }, (_, i) => Math.sin(i + 1)));
      let largest = 0;
      for (let i = 0; i < 60; i++) {
        v = a.transpose().mmul(a.mmul(v));
        largest = v.norm();
        v.div(largest);
      }
      expect(largest).toBeGreaterThan(5.6);
      expect(largest).toBeLessThan(7.6);
    },
  );
});

describe('SignalSampler', () => {
  const matrix = measurementMatrix(30, 60, new Random(1));
  const draw = (
    options: Partial<ConstructorParameters<typeof SignalSampler>[3]> = {},
    seed = 2,
    count = 400,
  ) =>
    new SignalSampler(matrix, new Random(seed), count, {
      sparsity: 0.1,
      snr: [20, 40],
      ...options,
    }).next();

  it('draws the sparsity, the values and the ratios asked for', () => {
    const { signals, snr } = draw();
    const nonzero = signals.filter((value) => value !== 0);
    expect(nonzero.length / signals.length).toBeCloseTo(0.1, 1.5);
    expect(nonzero.reduce((sum, value) => sum + value * value, 0) / nonzero.length).toBeCloseTo(
      1,
      0.8,
    );
    expect(new Set(snr)).toEqual(new Set([20, 40]));
  });

  it.each(['normal', 'laplace', 'sign'] as const)('gives %s values variance one', (values) => {
    const nonzero = draw({ values, sparsity: 0.5 }).signals.filter((value) => value !== 0);
    expect(
      Math.abs(nonzero.reduce((sum, value) => sum + value * value, 0) / nonzero.length - 1),
    ).toBeLessThan(0.06);
    expect(Math.abs(nonzero.reduce((sum, value) => sum + value, 0) / nonzero.length)).toBeLessThan(
      0.06,
    );
    if (values === 'sign') expect(new Set(nonzero)).toEqual(new Set([-1, 1]));
  });

  it('adds noise of std(A x) · 10^(−SNR/20)', () => {
    const { measurements, signals, snr } = draw();
    const [errors, expected] = [new Map<number, number>(), new Map<number, number>()];
    snr.forEach((ratio, i) => {
      const x = Dense.columnVector(Array.from(signals.subarray(i * 60, (i + 1) * 60)));
      const clean = dense(matrix).mmul(x).to1DArray();
      const mean = clean.reduce((a, b) => a + b, 0) / 30;
      const variance = clean.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 30;
      const error =
        clean.reduce((sum, value, j) => sum + (measurements[i * 30 + j]! - value) ** 2, 0) / 30;
      errors.set(ratio, (errors.get(ratio) ?? 0) + error);
      expected.set(ratio, (expected.get(ratio) ?? 0) + variance * 10 ** (-ratio / 10));
    });
    for (const [ratio, error] of errors) expect(error / expected.get(ratio)!).toBeCloseTo(1, 0.8);
  });

  it('is the same for the same seed, and each batch differs from the one before', () => {
    expect(draw({}, 4)).toEqual(draw({}, 4));
    const sampler = new SignalSampler(matrix, new Random(4), 3, { sparsity: 0.2, snr: [30] });
    const first = sampler.next().signals.slice();
    expect(sampler.next().signals).not.toEqual(first);
  });
});

describe('signals of one’s own', () => {
  const matrix = measurementMatrix(30, 60, new Random(1));
  const signals = {
    count: 3,
    length: 60,
    data: Float32Array.from({ length: 180 }, (_, i) => Math.sin(i)),
  };

  it('are measured as they are, whichever row comes, and all rows come', () => {
    const batch = new SignalSampler(matrix, new Random(2), 40, {
      sparsity: 1,
      snr: [200],
      signals,
    }).next();
    const seen = new Set<number>();
    for (let i = 0; i < 40; i++) {
      const signal = batch.signals.subarray(i * 60, (i + 1) * 60);
      const row = [0, 1, 2].find((r) =>
        signal.every((value, j) => value === signals.data[r * 60 + j]),
      );
      expect(row).toBeDefined();
      seen.add(row!);
      const clean = dense(matrix)
        .mmul(Dense.columnVector(Array.from(signal)))
        .to1DArray();
      clean.forEach((value, j) => expect(batch.measurements[i * 30 + j]).toBeCloseTo(value, 4));
    }
    expect(seen.size).toBe(3);
  });

  it('have a root mean square of each entry, never zero, and can be told apart by number', () => {
    const few = { count: 2, length: 3, data: Float32Array.of(3, 0, 1, 4, 0, 1) };
    const [first, second, third] = scalesOf(few);
    expect(first).toBeCloseTo(Math.sqrt(12.5), 5);
    expect(second).toBeGreaterThan(0);
    expect(second).toBeLessThan(1e-5);
    expect(third).toBeCloseTo(1, 6);
    expect(pickSignals(few, (i) => i === 1)).toEqual({
      count: 1,
      length: 3,
      data: Float32Array.of(4, 0, 1),
    });
  });
});
