import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cosine } from '../../src/training/schedule.ts';

describe('the cosine schedule', () => {
  const rate = cosine(0.5, { warmup: 0.1, floor: 0.02 });

  it('reaches its peak at the end of the warm-up and its floor at the end', () => {
    expect(rate(0.1)).toBeCloseTo(0.5, 12);
    expect(rate(1)).toBeCloseTo(0.01, 12);
    // Half a cosine: half-way between peak and floor in the middle of what is left.
    expect(rate(0.55)).toBeCloseTo((0.5 + 0.01) / 2, 12);
  });

  it('rises in the warm-up from above 0, falls afterwards, and stays at the floor beyond the end', () => {
    expect(rate(0)).toBeGreaterThan(0);
    expect(rate(0)).toBeLessThan(0.01 * 0.5);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (progress) => {
        const [here, next] = [rate(progress), rate(Math.min(progress + 1e-3, 1))];
        return progress + 1e-3 <= 0.1 ? next > here : progress < 0.1 || next <= here;
      }),
    );
    expect(rate(1.5)).toBe(rate(1));
  });
});
