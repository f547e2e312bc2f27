import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exitShare, NO_LOAD, refusal, updateLoad, type Load } from '../../src/engine/admission.ts';

const loadOf = (requests: readonly number[], limit: number): Load =>
  requests.reduce((load, samples) => updateLoad(load, 0, samples, limit), NO_LOAD);

describe('admission', () => {
  it('accepts up to the limit and refuses the sample after it', () => {
    expect(refusal(4, 1, 5)).toBeUndefined();
    const problem = refusal(5, 1, 5);
    expect(problem).toMatchObject({ code: 'overloaded', status: 429 });
    expect(problem?.message).toBe('5 samples are pending (limit 5); retry in 1 s.');
  });

  it('accepts a request of any size while nothing else is in flight', () => {
    expect(refusal(0, 1000, 5)).toBeUndefined();
    expect(refusal(1, 1000, 5)).toBeDefined();
  });

  it('uses all exits up to half the limit, then fewer, and always the first', () => {
    const shares = [0, 50, 51, 60, 75, 90, 100, 200].map((requests) =>
      exitShare(
        loadOf(
          Array.from({ length: requests }, () => 1),
          100,
        ),
        100,
      ),
    );
    expect(shares).toEqual([1, 1, 1, 0.8, 0.5, 0.2, 0.1, 0.1]);
  });

  it('is not made to shed by one request, however large', () => {
    expect(exitShare(loadOf([1_000_000], 100), 100)).toBe(1);
    expect(exitShare(loadOf([1_000_000, 1_000_000], 100), 100)).toBe(1);
    expect(exitShare(loadOf([25, 25, 25], 100), 100)).toBe(0.5);
  });

  it('forgets a request that is answered, and counts one again that was decoded', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(500), fc.nat(500))),
        fc.integer({ min: 4, max: 400 }),
        (requests, limit) => {
          const decoded = requests.reduce(
            (load, [first, then]) =>
              updateLoad(updateLoad(load, 0, first, limit), first, then, limit),
            NO_LOAD,
          );
          expect(decoded.samples).toBe(requests.reduce((sum, [, then]) => sum + then, 0));
          const answered = requests.reduce(
            (load, [, then]) => updateLoad(load, then, 0, limit),
            decoded,
          );
          expect(answered.samples).toBe(0);
          expect(answered.weighted).toBeCloseTo(0);
        },
      ),
    );
  });
});
