import { describe, expect, it } from 'vitest';
import { accuracy, halfWidth95 } from '../../src/evaluation/metrics.ts';

describe('accuracy', () => {
  it('counts the samples whose largest score is at the true class, in percent', () => {
    const scores = [
      [0.1, 0.7, 0.2],
      [-3, -2, -9],
      [5, 5, 1],
      [0, 1, 2],
    ].map((row) => Float32Array.from(row));
    const parts = scores.map((row, i) => accuracy.sample(row, Float32Array.of([1, 1, 1, 2][i]!)));
    expect(accuracy.total(parts)).toBe(75);
    expect(accuracy.loss(75, 70)).toBe(5);
  });

  it('has the interval of a mean: p(1 − p)/n for shares', () => {
    const parts = Array.from({ length: 10_000 }, (_, i) => [i % 10 < 6 ? 100 : 0, 1] as const);
    expect(accuracy.halfWidth!(parts)).toBeCloseTo(196 * Math.sqrt((0.6 * 0.4) / 10_000), 3);
    expect(halfWidth95([2, 2, 2])).toBe(0);
    expect(halfWidth95([2])).toBe(Number.POSITIVE_INFINITY);
  });
});
