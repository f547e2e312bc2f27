import { describe, expect, it } from 'vitest';
import { prunableExits } from '../../src/evaluation/pruning.ts';

/** Ten layers of a millisecond, each with an exit, and the share of the traffic that leaves at each. */
const path = (...shares: number[]) =>
  shares.map((share, i) => ({ depth: i + 1, share, ms: i + 1 }));

describe('exits can be pruned', () => {
  it('where less than 2 % of the traffic leaves, and no segment becomes longer than a quarter of the time', () => {
    // Depth 3 stays: without it and depth 2 the segment from 1 to 4 would take three of ten milliseconds.
    expect(prunableExits(path(0.4, 0, 0.01, 0.4, 0.02, 0.05, 0.05, 0.02, 0.019, 0.03))).toEqual([2, 9]); // prettier-ignore
  });

  it('but not the last, nor depth 0', () => {
    const exits = [{ depth: 0, share: 0, ms: 0.1 }, ...path(0.9, 0.1, 0, 0, 0, 0, 0, 0, 0, 0)];
    const pruned = prunableExits(exits);
    expect(pruned).not.toContain(0);
    expect(pruned).not.toContain(10);
    // From depth 2 on every second exit is left.
    expect(pruned).toHaveLength(4);
  });

  it('not where each segment is long', () => {
    expect(prunableExits([{ depth: 4, share: 0, ms: 1 }, { depth: 8, share: 0, ms: 3 }, { depth: 12, share: 1, ms: 4 }])).toEqual([]); // prettier-ignore
  });
});
