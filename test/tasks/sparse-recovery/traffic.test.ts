import { describe, expect, it } from 'vitest';
import { amplitudes, type Amplitude } from '../../../src/data/amplitudes.ts';
import { Random } from '../../../src/data/random.ts';
import { measurementMatrix, SignalSampler } from '../../../src/data/sparse-recovery.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { parts } from '../../../src/evaluation/traffic.ts';
import {
  recoveryMix,
  recoveryTraffic,
  trafficSampler,
} from '../../../src/tasks/sparse-recovery/traffic.ts';
import {
  boundsOf,
  cellOf,
  meanNmse,
  pooledNmse,
  worstCell,
  type Recovered,
} from '../../../scripts/paper/sparse-recovery/grid.ts';

const [m, n] = [60, 200];
const matrix = measurementMatrix(m, n, new Random(1));
const traffic = recoveryTraffic(matrix, 'selection', 7);
const requests = await Promise.all(Array.from({ length: 2000 }, (_, i) => traffic.draw(i)));

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(share * values.length)]!;
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const power = (values: Float32Array): number => mean([...values].map((value) => value ** 2));

/** A x for the request's signal. */
const cleanOf = (truth: Float32Array): Float32Array =>
  Float32Array.from({ length: m }, (_, i) =>
    truth.reduce((sum, value, j) => sum + matrix.data[i * n + j]! * value, 0),
  );

describe('the mix of recovery', () => {
  it.each([
    ['sparsity', 'log'],
    ['scale', 'log'],
    ['snr', 'linear'],
  ] as const)('draws %s uniformly (%s) over its range', (name, spacing) => {
    const { from, to } = recoveryMix[name];
    const drawn = requests.map((request) => request[name]);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(from * (1 - 1e-6));
    expect(Math.max(...drawn)).toBeLessThanOrEqual(to * (1 + 1e-6));
    for (const share of [0.1, 0.25, 0.5, 0.75, 0.9]) {
      const value = quantile(drawn, share);
      const place =
        spacing === 'log'
          ? Math.log(value / from) / Math.log(to / from)
          : (value - from) / (to - from);
      expect(Math.abs(place - share)).toBeLessThan(0.04);
    }
  });

  it('has the ranges of the definition', () => {
    expect(recoveryMix).toMatchObject({
      sparsity: { from: 0.01, to: 0.2 },
      snr: { from: 10, to: 60 },
      scale: { from: 1e-6, to: 1e6 },
    });
  });

  it('draws every law of amplitudes for a fifth of the requests', () => {
    const kinds = ['normal', 'laplace', 'sign', 'positive', 'student'];
    for (const kind of kinds) {
      const share = requests.filter((request) => request.kind === kind).length / requests.length;
      expect(Math.abs(share - 0.2)).toBeLessThan(0.03);
    }
    expect(new Set(requests.map(({ kind }) => kind)).size).toBe(kinds.length);
  });

  it('has the share of non-zero entries that was drawn, and never none', () => {
    const counts = requests.map(({ truth }) => truth.filter((value) => value !== 0).length);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    for (const [low, high] of [
      [0.05, 0.08],
      [0.08, 0.12],
      [0.12, 0.2],
    ] as const) {
      const inside = requests.flatMap(({ sparsity }, i) =>
        sparsity >= low && sparsity < high ? [counts[i]! / (n * sparsity)] : [],
      );
      expect(Math.abs(mean(inside) - 1)).toBeLessThan(0.04);
    }
  });

  it('has noise of the signal-to-noise ratio that was drawn', () => {
    const ratios = requests.slice(0, 400).map(({ sample, truth, snr }) => {
      const clean = cleanOf(truth);
      const level = mean([...clean]);
      const variance = power(clean.map((value) => value - level));
      const noise = power(clean.map((value, i) => sample.measurements!.data[i]! - value));
      return 10 * Math.log10(variance / noise) - snr;
    });
    // χ² with 60 degrees of freedom: a standard deviation of 0.8 dB.
    expect(Math.abs(mean(ratios))).toBeLessThan(0.2);
    expect(Math.max(...ratios.map(Math.abs))).toBeLessThan(4);
  });

  it('is the same but for the factor at every scale', () => {
    const draw = (scale: number) =>
      new SignalSampler(matrix, new Random(9), 1, { ...recoveryMix, scale }).next();
    const plain = draw(1);
    for (const scale of [2 ** -20, 2 ** 20]) {
      const { signals, measurements, ...others } = draw(scale);
      expect(signals).toEqual(plain.signals.map((value) => value * scale));
      expect(measurements).toEqual(plain.measurements.map((value) => value * scale));
      expect({ ...others, scale: plain.scale }).toEqual({
        snr: plain.snr,
        sparsity: plain.sparsity,
        values: plain.values,
        scale: plain.scale,
      });
    }
  });

  it('scales signal and measurements by the scale that is told', () => {
    const relative = requests.map(({ truth, scale }) => {
      const nonzero = truth.filter((value) => value !== 0);
      return { scale, power: power(nonzero) / scale ** 2 };
    });
    for (const [low, high] of [
      [1e-6, 1e-3],
      [1e3, 1e6],
    ] as const) {
      const powers = relative.flatMap((one) =>
        one.scale >= low && one.scale < high ? [one.power] : [],
      );
      expect(Math.abs(quantile(powers, 0.5) - 0.95)).toBeLessThan(0.1);
    }
  });
});

describe('the laws of amplitudes', () => {
  const drawn = (law: Amplitude): number[] => {
    const random = new Random(5);
    return Array.from({ length: 40_000 }, () => amplitudes[law](random));
  };
  // The tails of Student's t with 3 degrees: its fourth moment does not exist, so the mean square settles slowly.
  it.each([
    ['normal', 0.6745, 0.03],
    ['laplace', 0.4901, 0.05],
    ['sign', 1, 1e-9],
    ['positive', 0.866, 0.03],
    ['student', 0.4416, 0.25],
  ] as const)('%s has the median magnitude %f and the second moment one', (law, middle, within) => {
    const values = drawn(law);
    expect(Math.abs(mean(values.map((value) => value ** 2)) - 1)).toBeLessThan(within);
    expect(Math.abs(quantile(values.map(Math.abs), 0.5) - middle)).toBeLessThan(0.015);
    if (law === 'positive') expect(Math.min(...values)).toBeGreaterThan(0);
    else expect(Math.abs(mean(values))).toBeLessThan(0.03);
  });
});

describe('requests', () => {
  it('depend on part, seed and number alone', async () => {
    const again = recoveryTraffic(matrix, 'selection', 7);
    expect(await again.draw(1234)).toEqual(requests[1234]);
    expect(await recoveryTraffic(matrix, 'selection', 8).draw(3)).not.toEqual(requests[3]);
  });

  it('share no signal between parts, and have a source each', async () => {
    const drawn = await Promise.all(
      parts.map((part) => {
        const { draw } = recoveryTraffic(matrix, part, 7);
        return Promise.all(Array.from({ length: 200 }, (_, i) => draw(i)));
      }),
    );
    const keys = drawn.flat().map(({ sample }) => sample.measurements!.data.join());
    expect(new Set(keys).size).toBe(800);
    expect(new Set(requests.map(({ source }) => source)).size).toBe(requests.length);
  });

  it('follow the same mix in batches', () => {
    const batch = trafficSampler(matrix, new Random(3), 500).next();
    expect(new Set(batch.values).size).toBe(5);
    expect(Math.abs(quantile([...batch.snr], 0.5) - 35)).toBeLessThan(3);
    expect(Math.abs(Math.log10(quantile([...batch.scale], 0.5)))).toBeLessThan(0.8);
    const row = batch.signals.subarray(0, n);
    const parts = nmse.sample(cleanOf(row), batch.measurements.subarray(0, m));
    expect(nmse.total([parts])).toBeLessThan(-5);
  });
});

describe('the grid of sparsity and SNR', () => {
  it('has six cells along each side, and every bound belongs to the cell above it', () => {
    expect(cellOf({ sparsity: 0.01, snr: 10 })).toEqual({ sparsity: 0, snr: 0 });
    expect(cellOf({ sparsity: 0.2, snr: 60 })).toEqual({ sparsity: 5, snr: 5 });
    // √(0.01 · 0.2) is the middle of the logarithms.
    expect(cellOf({ sparsity: 0.0448, snr: 35.1 })).toEqual({ sparsity: 3, snr: 3 });
    expect(cellOf({ sparsity: 0.0447, snr: 34.9 })).toEqual({ sparsity: 2, snr: 2 });
    const seen = new Set(requests.map((request) => JSON.stringify(cellOf(request))));
    expect(seen.size).toBe(36);
    for (const request of requests.slice(0, 300)) {
      const { sparsity, snr } = boundsOf(cellOf(request));
      expect(request.sparsity).toBeGreaterThanOrEqual(sparsity[0] * (1 - 1e-6));
      expect(request.sparsity).toBeLessThanOrEqual(sparsity[1] * (1 + 1e-6));
      expect(request.snr).toBeGreaterThanOrEqual(snr[0]);
      expect(request.snr).toBeLessThanOrEqual(snr[1]);
    }
  });

  it('averages decibels over requests, pools errors at scale one, and finds the worst cell', () => {
    const at = (sparsity: number, snr: number, db: number, scale = 1): Recovered => ({
      sparsity,
      snr,
      scale,
      parts: [4 * scale ** 2 * 10 ** (db / 10), 4 * scale ** 2],
    });
    const all = [at(0.011, 11, -10), at(0.012, 12, -20, 1e5), at(0.19, 12, -16), at(0.19, 59, -50)];
    expect(meanNmse(all)).toBeCloseTo(-24, 9);
    expect(pooledNmse(all)).toBeCloseTo(
      10 * Math.log10((10 ** -1 + 10 ** -2 + 10 ** -1.6 + 10 ** -5) / 4),
      9,
    );
    expect(worstCell(all)).toMatchObject({ sparsity: 0, snr: 0, count: 2 });
    expect(worstCell(all).mean).toBeCloseTo(-15, 9);
  });
});
