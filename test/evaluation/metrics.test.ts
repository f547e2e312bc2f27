import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accuracy, halfWidth95, nmse, psnr } from '../../src/evaluation/metrics.ts';

const of = (...values: number[]): Float32Array => Float32Array.from(values);

describe('PSNR', () => {
  it('is −10 log₁₀ of the mean squared error of the clipped output, averaged over images', () => {
    // Errors 0.1 and 0.3, squares 0.01 and 0.09, mean 0.05.
    const [first] = psnr.sample(of(0.6, 0.5), of(0.5, 0.2));
    expect(first).toBeCloseTo(-10 * Math.log10(0.05), 4);
    // 1.7 and −0.4 are clipped to 1 and 0: errors 0.5 and 0.
    const [second] = psnr.sample(of(1.7, -0.4), of(0.5, 0));
    expect(second).toBeCloseTo(-10 * Math.log10(0.125), 4);
    expect(
      psnr.total([
        [first, 1],
        [second, 1],
      ]),
    ).toBeCloseTo((first + second) / 2, 12);
  });
});

describe('the PSNR of a request', () => {
  it('is taken after rounding to 8 bits', () => {
    // 0.5016 is stored as 128, 0.4917 (125.4 / 255) as 125: errors of 0 and 3 of 255.
    const truth = of(128 / 255, 128 / 255);
    expect(psnr.request(of(0.5016, 0.4917), truth)).toBeCloseTo(
      -10 * Math.log10(4.5 / 255 ** 2),
      3,
    );
  });

  it('is at most 50 dB, and not a number where the output is not', () => {
    expect(psnr.request(of(0.2), of(0.2))).toBe(50);
    expect(psnr.request(of(Number.NaN), of(0.2))).toBeNaN();
  });
});

describe('NMSE', () => {
  it('is 10 log₁₀ of the ratio of the sums, not the mean of the ratios', () => {
    const parts = [nmse.sample(of(1, 0), of(1, 1)), nmse.sample(of(0, 3), of(0, 4))];
    expect(parts).toEqual([
      [1, 2],
      [1, 16],
    ]);
    expect(nmse.total(parts)).toBeCloseTo(10 * Math.log10(2 / 18), 12);
  });
});

describe('accuracy', () => {
  it('counts the samples whose largest score is at the true class, in percent', () => {
    const scores = [of(0.1, 0.7, 0.2), of(-3, -2, -9), of(5, 5, 1), of(0, 1, 2)];
    const parts = scores.map((row, i) => accuracy.sample(row, of([1, 1, 1, 2][i]!)));
    expect(accuracy.total(parts)).toBe(75);
  });

  it('of a task is the share of its queries', () => {
    expect(accuracy.sample(of(1, 0, 0, 1, 1, 0, 0, 1), of(0, 1, 1, 1))).toEqual([75, 1]);
  });

  it('has the interval of a mean: p(1 − p)/n for shares', () => {
    const parts = Array.from({ length: 10_000 }, (_, i) => [i % 10 < 6 ? 100 : 0, 1] as const);
    expect(accuracy.halfWidth(parts)).toBeCloseTo(196 * Math.sqrt((0.6 * 0.4) / 10_000), 3);
    expect(halfWidth95([2, 2, 2])).toBe(0);
    expect(halfWidth95([2])).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a loss', () => {
  it.each([
    ['PSNR', psnr, 'dB', 30, 29.5],
    ['NMSE', nmse, 'dB', -30, -29.5],
    ['accuracy', accuracy, 'points', 90, 89.5],
  ] as const)('of %s is positive where the value is worse', (_, metric, unit, better, worse) => {
    expect(metric.loss(better, worse)).toBe(0.5);
    expect(metric.loss(worse, better)).toBe(-0.5);
    expect(metric.unit).toBe(unit);
  });

  it('of each metric falls as the output comes nearer to the truth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), (steps) => {
        const at = (error: number) => of(0.5 + error, 0.5);
        const truth = of(0.5, 0.5);
        for (const metric of [psnr, nmse]) {
          const [near, far] = [steps / 25, (steps + 1) / 25].map((error) =>
            metric.total([metric.sample(at(error), truth)]),
          ) as [number, number];
          expect(metric.loss(near, far)).toBeGreaterThan(0);
        }
      }),
    );
  });
});
