import { expect, it } from 'vitest';
import { lossBins, meanLoss, variantRange } from '../../src/evaluation/variant-range.ts';

/** Requests whose statistics are 0, 1, … in an order of their own. */
const requests = (count: number, loss: (statistic: number) => number) =>
  Array.from({ length: count }, (_, i) => (i * 37) % count).map((statistic) => ({
    statistic,
    loss: loss(statistic),
  }));

it('bins have neighbouring statistics and hold every request once', () => {
  const bins = lossBins(requests(50, (statistic) => statistic));
  expect(bins.map(({ length }) => length)).toEqual([12, 13, 12, 13]);
  expect(bins.flat().map(({ statistic }) => statistic)).toEqual(
    Array.from({ length: 50 }, (_, i) => i),
  );
  expect(meanLoss(bins[0]!)).toBe(5.5);
});

it('the range is the longest run of bins below the limit', () => {
  const lossOf = (statistic: number): number =>
    statistic < 12 ? 0 : statistic < 24 ? 1 : statistic < 60 ? 0.1 : 2;
  const bins = lossBins(requests(72, lossOf));
  expect(variantRange(bins, 0.5)).toEqual({ minimum: 24, maximum: 59 });
  expect(variantRange(bins, 0.05)).toEqual({ minimum: 0, maximum: 11 });
  expect(variantRange(bins, 0)).toBeUndefined();
});

it('a bin is within the limit by its mean, and never with a loss that is not a number', () => {
  const spiky = lossBins(requests(12, (statistic) => (statistic === 5 ? 1 : 0)));
  expect(variantRange(spiky, 0.1)).toEqual({ minimum: 0, maximum: 11 });
  expect(variantRange(spiky, 0.05)).toBeUndefined();
  expect(variantRange(lossBins(requests(12, () => Number.NaN)), 1)).toBeUndefined();
});
