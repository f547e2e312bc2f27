import { describe, expect, it } from 'vitest';
import {
  bettingPValue,
  bettingUpper,
  binomialUpper,
  type Units,
} from '../../src/evaluation/bounds.ts';
import { binomialTail } from '../../src/util/binomial.ts';

/** Equal to so many relative digits. */
const expectClose = (value: number, known: number, digits = 9): void =>
  expect(Math.abs(value / known - 1)).toBeLessThan(10 ** -digits);

describe('binomialTail', () => {
  // Sums of exact terms with 60 decimal digits.
  it.each([
    [0, 2_000, 2.800338799355195e-45],
    [80, 2_000, 2.008798490894037e-2],
    [83, 2_000, 4.231466007700763e-2],
    [84, 2_000, 5.303746336876334e-2],
    [100, 2_000, 5.265709385410884e-1],
    [130, 2_000, 9.986930375384927e-1],
    [3, 20, 9.840984739802364e-1],
    [1, 100, 3.708120932735521e-2],
    [4_800, 100_000, 1.801323669711568e-3],
    [4_886, 100_000, 4.940960165574433e-2],
    [5_100, 100_000, 9.272741993120951e-1],
  ])('gives P(X ≤ %i) of %i trials at 5 %%', (k, n, known) =>
    expectClose(binomialTail(k, n, 0.05), known),
  );

  it('neither overflows nor leaves [0,1] at the ends', () => {
    expect(binomialTail(2_000, 100_000, 0.05)).toBe(0); // 6e-530
    expect(binomialTail(-1, 10, 0.05)).toBe(0);
    expect(binomialTail(10, 10, 0.05)).toBe(1);
    expectClose(binomialTail(9, 10, 0.05), 1 - 0.05 ** 10, 15);
  });
});

it('binomialUpper is the bound of Clopper and Pearson', () => {
  expect(binomialUpper(0, 20)).toBeCloseTo(0.139108340668265, 8);
  expect(binomialUpper(20, 2_000)).toBeCloseTo(0.014498062606977, 8);
  expect(binomialUpper(3, 100)).toBeCloseTo(0.07571079374983, 8);
  expect(binomialUpper(9, 10)).toBeCloseTo(0.994883803108176, 8);
  expect(binomialUpper(10, 10)).toBe(1);
});

describe('betting', () => {
  const lost = Float64Array.from(
    { length: 120 },
    (_, i) => [0, 0, 0.25, 0, 0, 0, 0.5, 0, 0, 0][i % 10]!,
  );
  const equal: Units = { lost, weight: lost.map(() => 1) };

  // Wealth as written in the paper, each estimate from its own sum, computed apart.
  it('gives the p-values of the published wealth', () => {
    expectClose(bettingPValue(equal, 0.05), 0.951257136397851);
    expectClose(bettingPValue(equal, 0.1), 0.293207684630018);
    expectClose(bettingPValue(equal, 0.2), 1.4791408862355777e-6);
    expect(bettingUpper(equal)).toBeCloseTo(0.11541447802902706, 8);
  });

  it('counts a unit by its weight', () => {
    const weight = lost.map((x, i) => Math.max(x, [1, 0.5, 0.25, 1][i % 4]!));
    expectClose(bettingPValue({ lost, weight }, 0.15), 0.1973432279867652);
    expectClose(bettingPValue({ lost, weight }, 0.2), 0.0030041553473986447);
  });

  it('passes a hundred units without a failure at 5 %', () => {
    const none: Units = { lost: new Float64Array(100), weight: new Float64Array(100).fill(1) };
    expectClose(bettingPValue(none, 0.05), 0.010342435104914118);
    const some: Units = { lost: new Float64Array(50), weight: new Float64Array(50).fill(1) };
    expect(bettingPValue(some, 0.05)).toBeGreaterThan(0.05);
  });

  it('bounds by 1 what is always lost', () => {
    const all: Units = { lost: lost.map(() => 1), weight: lost.map(() => 1) };
    expect(bettingUpper(all)).toBe(1);
    expect(bettingPValue(all, 0.99)).toBe(1);
  });
});
