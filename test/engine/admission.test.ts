import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  exitShare,
  fullness,
  NO_LOAD,
  predictedWait,
  refusal,
  updateLoad,
  type Cost,
  type Load,
} from '../../src/engine/admission.ts';

/** Two workers with queues of 2 s, and 100 samples. */
const limits = { samples: 100, seconds: 4, workers: 2 };
const costs = (count: number, cost: Cost): Cost[] => Array.from({ length: count }, () => cost);
const loadOf = (requests: readonly Cost[]): Load =>
  requests.reduce<Load>((load, cost) => updateLoad(load, undefined, cost, limits), NO_LOAD);
const light = { samples: 1, seconds: 0 };
const image = { samples: 1, seconds: 0.1 };

describe('admission', () => {
  it('accepts samples up to the limit and refuses the one after it', () => {
    expect(refusal({ cost: light, load: loadOf(costs(99, light)) }, limits)).toBeUndefined();
    const problem = refusal({ cost: light, load: loadOf(costs(100, light)) }, limits);
    expect(problem).toMatchObject({ code: 'overloaded', status: 429, retryAfter: 1 });
    expect(problem?.message).toBe('100 samples are pending (limit 100); retry in 1 s.');
  });

  it('accepts compute up to MAX_QUEUE_SECONDS of every worker, however few samples it is', () => {
    expect(refusal({ cost: image, load: loadOf(costs(39, image)) }, limits)).toBeUndefined();
    const problem = refusal({ cost: image, load: loadOf(costs(40, image)) }, limits);
    expect(problem).toMatchObject({ code: 'overloaded', retryAfter: 1 });
    expect(problem?.message).toBe('4.0 s of compute are pending (limit 4 s); retry in 1 s.');
  });

  it('accepts a request of any size while nothing else is in flight', () => {
    expect(refusal({ cost: { samples: 1000, seconds: 60 }, load: NO_LOAD }, limits)).toBe(
      undefined,
    );
  });

  it('gives each worker one large request at most, and lets small ones pass them', () => {
    const large = { samples: 1, seconds: 60 };
    expect(refusal({ cost: large, load: loadOf([large]) }, limits)).toBeUndefined();
    const both = loadOf([large, large]);
    expect(refusal({ cost: large, load: both }, limits)).toMatchObject({ retryAfter: 30 });
    expect(refusal({ cost: image, load: both }, limits)).toBeUndefined();
    const rows = { samples: 4096, seconds: 0.5 };
    expect(refusal({ cost: light, load: loadOf([rows]) }, limits)).toBeUndefined();
  });

  it('does not let small requests shut out a large one', () => {
    const busy = loadOf(costs(20, image));
    expect(refusal({ cost: { samples: 1, seconds: 60 }, load: busy }, limits)).toBeUndefined();
  });

  it('says when to come back from the backlog', () => {
    const many = { samples: 1, seconds: 1 };
    const queue = { ...limits, seconds: 40 };
    const load = costs(50, many).reduce<Load>(
      (l, cost) => updateLoad(l, undefined, cost, queue),
      NO_LOAD,
    );
    expect(refusal({ cost: many, load }, queue)).toMatchObject({ retryAfter: 6 });
  });

  it('refuses a deadline that passes before the turn of the request, but never on an idle service', () => {
    const load = loadOf(costs(20, image));
    expect(predictedWait(load, limits)).toBeCloseTo(1);
    const problem = refusal({ cost: image, secondsLeft: 0.5, load }, limits);
    expect(problem).toMatchObject({ code: 'deadline-missed', status: 503, retryAfter: 1 });
    expect(refusal({ cost: image, secondsLeft: 1.5, load }, limits)).toBeUndefined();
    expect(refusal({ cost: image, secondsLeft: 0, load: NO_LOAD }, limits)).toBeUndefined();
  });

  it('keeps a quarter for clients that hold little', () => {
    const load = loadOf(costs(30, image));
    const greedy = { load, clients: 1 };
    expect(refusal({ cost: image, load, client: greedy }, limits)).toMatchObject({
      code: 'overloaded',
    });
    const newcomer = { load: NO_LOAD, clients: 2 };
    expect(refusal({ cost: image, load, client: newcomer }, limits)).toBeUndefined();
    const several = { load: loadOf(costs(9, image)), clients: 2 };
    expect(refusal({ cost: image, load, client: several }, limits)).toBeUndefined();
    const more = { load: loadOf(costs(10, image)), clients: 2 };
    expect(refusal({ cost: image, load, client: more }, limits)).toBeDefined();
  });
});

describe('the share of exits', () => {
  it('is all up to half the limits, then fewer, and always the first', () => {
    const shares = [0, 50, 51, 60, 65, 70, 75, 200].map((count) =>
      exitShare(loadOf(costs(count, light))),
    );
    expect(shares).toEqual([1, 1, 1, 0.6, 0.4, 0.2, 0.1, 0.1]);
  });

  it('falls with compute as well: a few images are enough', () => {
    expect(exitShare(loadOf(costs(20, image)))).toBe(1);
    expect(exitShare(loadOf(costs(25, image)))).toBe(0.5);
  });

  it('is not lowered by one request, however large', () => {
    const large = { samples: 1_000_000, seconds: 1_000 };
    expect(exitShare(loadOf([large]))).toBe(1);
    expect(exitShare(loadOf([large, large]))).toBe(1);
    expect(exitShare(loadOf([large, large, large]))).toBe(0.1);
  });
});

const Costs = fc.record({
  samples: fc.nat(500),
  seconds: fc.double({ min: 0, max: 20, noNaN: true }),
});

describe('the load', () => {
  it('forgets a request that is answered, and counts one again whose cost is known', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(Costs, Costs), { minLength: 1 }), (requests) => {
        const known = requests.reduce(
          (load, [first, then]) =>
            updateLoad(updateLoad(load, undefined, first, limits), first, then, limits),
          NO_LOAD,
        );
        const direct = loadOf(requests.map(([, then]) => then));
        expect(known).toMatchObject({
          requests: requests.length,
          samples: direct.samples,
          large: direct.large,
        });
        expect(known.seconds).toBeCloseTo(direct.seconds);
        expect(fullness(known)).toBeCloseTo(fullness(direct));
        const answered = requests.reduce(
          (load, [, then]) => updateLoad(load, then, undefined, limits),
          known,
        );
        expect(answered).toEqual(NO_LOAD);
      }),
    );
  });
});
