import { describe, expect, it } from 'vitest';
import { fillFromTable } from '../../src/data/normal-table.ts';
import { Random } from '../../src/data/random.ts';

describe('fillFromTable', () => {
  const draw = (count: number, deviation: number, seed = 1): Float32Array => {
    const target = new Float32Array(count);
    fillFromTable(target, deviation, new Random(seed));
    return target;
  };

  it('draws numbers of the normal distribution, each independent of the one before', () => {
    const values = draw(200_001, 1);
    const mean = (of: (value: number, i: number) => number): number =>
      values.reduce((sum, value, i) => sum + of(value, i), 0) / values.length;
    expect(mean((x) => x)).toBeCloseTo(0, 2);
    expect(mean((x) => x ** 2)).toBeCloseTo(1, 1.7);
    expect(mean((x) => x ** 4)).toBeCloseTo(3, 0.9);
    expect(mean((x) => Number(Math.abs(x) < 1))).toBeCloseTo(0.6827, 2);
    expect(mean((x) => Number(Math.abs(x) > 3))).toBeCloseTo(0.0027, 3);
    expect(mean((x, i) => x * (values[i - 1] ?? 0))).toBeCloseTo(0, 2);
  });

  it('scales by the deviation and repeats for the same seed', () => {
    expect(draw(7, 3)).toEqual(draw(7, 1).map((value) => 3 * value));
    expect(draw(7, 1, 2)).not.toEqual(draw(7, 1));
  });
});
