import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pick, type Queue, type Waiting } from '../../../src/engine/worker/scheduler.ts';

interface Sample extends Waiting {
  readonly name: string;
}
const sample = (name: string, since: number, attained = 0): Sample => ({ name, since, attained });
const names = (queues: readonly Queue<Sample>[], now: number): string[] =>
  pick(queues, now)?.batch.map(({ name }) => name) ?? [];

describe('the scheduler', () => {
  it('has nothing to do where nothing waits', () => {
    expect(pick([], 0)).toBeUndefined();
    expect(pick([{ waiting: [], limit: 4, segment: 0 }], 0)).toBeUndefined();
  });

  it('takes the request that had the least compute, so that a small one passes a large one', () => {
    const large = { waiting: [sample('large', 0, 200)], limit: 1, segment: 3 };
    const small = { waiting: [sample('small', 90)], limit: 1, segment: 0 };
    expect(names([large, small], 100)).toEqual(['small']);
  });

  it('takes the deepest among equals, so that few states are held', () => {
    const shallow = { waiting: [sample('a', 0, 5)], limit: 1, segment: 0 };
    const deep = { waiting: [sample('b', 0, 5)], limit: 1, segment: 2 };
    expect(names([shallow, deep], 10)).toEqual(['b']);
  });

  it('finishes what is deeper before newcomers of the last few milliseconds, which gather meanwhile', () => {
    const deep = { waiting: [sample('deep', 100, 1)], limit: 16, segment: 1 };
    const fresh = { waiting: [sample('a', 97), sample('b', 99)], limit: 16, segment: 0 };
    expect(names([fresh, deep], 100)).toEqual(['deep']);
    // Not before those that have waited longer than that.
    const waiting = { waiting: [sample('a', 90), sample('b', 99)], limit: 16, segment: 0 };
    expect(names([waiting, deep], 100)).toEqual(['a', 'b']);
  });

  it('fills a batch with the most urgent of one queue, up to its limit', () => {
    const queue = {
      waiting: [sample('late', 9), sample('early', 0), sample('middle', 5)],
      limit: 2,
      segment: 0,
    };
    expect(names([queue], 10)).toEqual(['early', 'middle']);
  });

  it('starves nobody: whoever waits long enough goes first, whatever it had', () => {
    const old = { waiting: [sample('old', 0, 1e6)], limit: 1, segment: 0 };
    const fresh = { waiting: [sample('fresh', 1000, 0)], limit: 1, segment: 0 };
    expect(names([old, fresh], 1000)).toEqual(['old']);
  });

  it('always gives a batch that is part of one queue, not empty and within its limit', () => {
    const waiting = fc.array(
      fc.record({ name: fc.string(), since: fc.nat(1000), attained: fc.nat(1000) }),
      { maxLength: 6 },
    );
    const queues = fc.array(
      fc.record({ waiting, limit: fc.integer({ min: 1, max: 4 }), segment: fc.nat(5) }),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(queues, (list) => {
        const decision = pick(list, 1000);
        if (list.every((queue) => queue.waiting.length === 0)) expect(decision).toBeUndefined();
        else {
          const { waiting: from, limit } = list[decision!.queue]!;
          expect(decision!.batch.length).toBe(Math.min(limit, from.length));
          for (const item of decision!.batch) expect(from).toContain(item);
          expect(new Set(decision!.batch).size).toBe(decision!.batch.length);
        }
      }),
    );
  });
});
