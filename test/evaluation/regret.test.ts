import { describe, expect, it } from 'vitest';
import { nmse, psnr } from '../../src/evaluation/metrics.ts';
import {
  accuracyCriterion,
  harmShare,
  regret,
  regretCriterion,
  type TracedRequest,
} from '../../src/evaluation/regret.ts';

const request = (quality: number[], rest: Partial<TracedRequest> = {}): TracedRequest => ({
  source: 'a',
  quality,
  ms: quality.map((_, i) => i + 1),
  pi: quality.slice(1).map(() => 0.5),
  ...rest,
});

describe('regret', () => {
  it('is the distance to the best exit, which need not be the last', () => {
    expect(regret(request([30, 34, 33]), 33, psnr)).toBe(1);
    expect(regret(request([-20, -34, -33]), -20, nmse)).toBe(14);
  });

  it('is 0 where the answer is better than every exit, and at equal infinities', () => {
    expect(regret(request([30, 34]), 35, psnr)).toBe(0);
    expect(regret(request([-20, -34]), -35, nmse)).toBe(0);
    expect(regret(request([-20, -Infinity]), -Infinity, nmse)).toBe(0);
  });

  it('compares another variant with the float exits', () => {
    expect(regret(request([30, 33], { float: [31, 34] }), 33, psnr)).toBe(1);
  });
});

describe('regretCriterion', () => {
  it('fails a request beyond the tolerance, or whose quality is not a number', () => {
    const criterion = regretCriterion(0.5, psnr);
    const losses = [34, 33.5, 33.4, Number.NaN].map((q) => criterion.loss(request([34]), q));
    expect(losses).toEqual([0, 0, 1, 1]);
    expect(criterion.figure(0.02)).toBeCloseTo(0.98);
  });
});

describe('accuracyCriterion', () => {
  const selection = [request([0, 100, 100]), request([100, 100, 0]), request([0, 0, 0])];

  it('compares with the exit that is best on selection', () => {
    const criterion = accuracyCriterion(1, selection);
    expect(criterion.referenceExit).toBe(1);
    const losses = [0, 50, 100].map((q) => criterion.loss(request([0, 100, 0]), q));
    expect(losses).toEqual([1, 0.75, 0.5]);
    expect(criterion.loss(request([100, 0, 0]), 100)).toBe(0);
    expect(criterion.loss(request([100, 0, 0]), Number.NaN)).toBe(1);
  });

  it('has its limit where the mean difference is the tolerance', () => {
    const criterion = accuracyCriterion(1, selection);
    expect(criterion.figure(criterion.limit)).toBeCloseTo(-1, 10);
    expect(criterion.figure(0.5)).toBe(0);
  });
});

it('harmShare counts answers more than 0.05 dB worse than the input', () => {
  const inputs = [30, 30, 30, 30].map((input) => request([29, 31], { input }));
  const outcomes = [31, 29.96, 29.9, Number.NaN].map((quality) => ({ quality, ms: 1, depth: 1 }));
  expect(harmShare(inputs, outcomes, psnr)).toBe(0.5);
  expect(() => harmShare([request([29])], outcomes.slice(0, 1), psnr)).toThrow(/input.*a/);
});
