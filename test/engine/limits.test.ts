/** Memory, grants, pace and the watchdog: pure, with times that are given. */
import { describe, expect, it } from 'vitest';
import { Accounts } from '../../src/engine/accounts.ts';
import { countedAhead, MAX_DECODING, nextGrant, type Waiter } from '../../src/engine/grants.ts';
import { Memory } from '../../src/engine/memory.ts';
import { Pace } from '../../src/engine/pace.ts';
import { isDecodingStuck, Watchdog } from '../../src/engine/watchdog.ts';

describe('memory', () => {
  it('is held for bodies up to a quarter, and given back', () => {
    const memory = new Memory(400e6);
    const body = memory.holdBody(60e6);
    expect(() => memory.holdBody(60e6)).toThrow(
      expect.objectContaining({ code: 'overloaded' }) as Error,
    );
    body.resize(10e6);
    const second = memory.holdBody(60e6);
    expect(memory.held).toBe(70e6);
    body.release();
    body.release();
    second.release();
    expect(memory.held).toBe(0);
  });

  it('refuses a body that never fits with the figures, whatever is free', () => {
    const memory = new Memory(400e6);
    expect(() => memory.holdBody(101e6)).toThrow(/101 MB of memory; bodies get at most 100 MB/);
    expect(memory.held).toBe(0);
    expect(() => memory.holdBody(90e6).resize(110e6)).toThrow(
      expect.objectContaining({ code: 'too-large', status: 413 }) as Error,
    );
  });

  it('grants what bodies leave, and says what it can never grant', () => {
    const memory = new Memory(400e6);
    expect(memory.refusal(300e6)).toBeUndefined();
    expect(memory.refusal(301e6)).toMatchObject({ code: 'too-large', status: 413 });
    expect(memory.refusal(301e6)?.message).toMatch(/301 MB.*300 MB.*MAX_MEMORY_BYTES/);
    memory.grant(300e6);
    memory.holdBody(100e6);
    expect(memory.free).toBe(0);
    expect(() => memory.grant(1)).toThrow(RangeError);
  });
});

const slot = (decoding = 0, ahead = 0) => ({ decoding, ahead });
const waiter = (change: Partial<Waiter> = {}): Waiter => ({
  slot: slot(),
  bytes: 10,
  since: 0,
  share: 0,
  ...change,
});

describe('grants', () => {
  it('go to the client with least in flight, then to the one that waits longest', () => {
    const [greedy, late, early] = [
      waiter({ share: 0.3, since: 0 }),
      waiter({ share: 0.1, since: 2 }),
      waiter({ share: 0.1, since: 1 }),
    ];
    expect(nextGrant([greedy, late, early], 100, 10)).toBe(early);
    expect(nextGrant([], 100, 10)).toBeUndefined();
  });

  it('wait for a place in their worker, and for work it has ahead', () => {
    expect(nextGrant([waiter({ slot: slot(MAX_DECODING) })], 100, 0)).toBeUndefined();
    expect(nextGrant([waiter({ slot: slot(0, 0.3) })], 100, 0)).toBeUndefined();
    expect(nextGrant([waiter({ slot: slot(0, countedAhead(60)) })], 100, 0)).toBeDefined();
  });

  it('wait for memory; others pass meanwhile, after a second only small ones', () => {
    const large = waiter({ bytes: 160 });
    const [medium, small] = [waiter({ bytes: 80, since: 5 }), waiter({ bytes: 10, since: 6 })];
    expect(nextGrant([large, medium], 100, 900)).toBe(medium);
    expect(nextGrant([large, medium], 100, 1100)).toBeUndefined();
    expect(nextGrant([large, medium, small], 100, 1100)).toBe(small);
    expect(nextGrant([large, medium], 160, 1100)).toBe(large);
  });
});

describe('the pace', () => {
  it('is how much longer busy workers take than predicted', () => {
    const pace = new Pace<object>();
    const worker = {};
    expect(pace.value).toBe(1);
    pace.begin(worker, 0);
    for (let i = 1; i <= 50; i++) pace.end(worker, i * 200, 0.1, false);
    expect(pace.value).toBeCloseTo(2);
    for (let i = 51; i <= 300; i++) pace.end(worker, i * 200, 0.2, false);
    expect(pace.value).toBeCloseTo(1, 1);
  });

  it('leaves out idle time and requests without an answer, and has bounds', () => {
    const pace = new Pace<object>();
    const worker = {};
    pace.begin(worker, 0);
    pace.end(worker, 100, 0.1, true);
    pace.begin(worker, 60_000);
    pace.end(worker, 60_050, undefined, false);
    pace.end(worker, 60_150, 0.1, true);
    expect(pace.value).toBeCloseTo(1);
    pace.begin(worker, 70_000);
    pace.end(worker, 90_000, 0.001, true);
    expect(pace.value).toBe(10);
  });
});

describe('the watchdog', () => {
  it('finds a worker stuck after ten seconds of silence', () => {
    const [worker, other] = [{ name: 'worker' }, { name: 'other' }];
    const watchdog = new Watchdog<object>();
    for (let s = 1; s <= 10; s++) {
      expect(watchdog.tick([worker, other], 1000)).toEqual([]);
      watchdog.heard(other);
    }
    expect(watchdog.tick([worker, other], 1000)).toEqual([worker]);
    watchdog.heard(worker);
    expect(watchdog.tick([worker], 1000)).toEqual([]);
  });

  it('waits twenty times as long as a run was predicted to take, and knows what ran', () => {
    const worker = {};
    const watchdog = new Watchdog<object>();
    watchdog.running(worker, [7, 8], 2000);
    for (let s = 1; s <= 40; s++) expect(watchdog.tick([worker], 1000)).toEqual([]);
    expect(watchdog.tick([worker], 1000)).toEqual([worker]);
    expect(watchdog.runOf(worker)).toEqual([7, 8]);
    watchdog.forget(worker);
    expect(watchdog.runOf(worker)).toEqual([]);
  });

  it('does not take a pause of the whole process for a stuck worker', () => {
    const watchdog = new Watchdog<object>();
    expect(watchdog.tick([{}], 3_600_000)).toEqual([]);
  });

  it('gives a decoding a minute', () => {
    expect(isDecodingStuck(0, 60_000)).toBe(false);
    expect(isDecodingStuck(0, 60_001)).toBe(true);
  });
});

describe('the accounts', () => {
  const limits = { samples: 1000, seconds: 4, workers: 2 };

  it('judge a request that is not decoded by those of its kind', () => {
    const accounts = new Accounts(limits);
    const image = { kind: 'denoise', units: 1000 };
    expect(accounts.estimate(image, 1).seconds).toBeLessThan(1e-3);
    accounts.learn(image, { samples: 1, seconds: 0.2 });
    expect(accounts.estimate({ kind: 'denoise', units: 3000 }, 1).seconds).toBeCloseTo(0.6);
    for (let i = 0; i < 50; i++) accounts.learn(image, { samples: 1, seconds: 0.1 });
    expect(accounts.estimate(image, 1).seconds).toBeCloseTo(0.1, 2);
    expect(accounts.estimate({ kind: 'other', units: 1000 }, 1).seconds).toBeLessThan(1e-3);
  });

  it('expect as many samples of a request as those of its kind had', () => {
    const accounts = new Accounts(limits);
    accounts.learn({ kind: 'recover', units: 64_000 }, { samples: 64, seconds: 0.01 });
    expect(accounts.estimate({ kind: 'recover', units: 128_000 }, 1).samples).toBe(128);
    expect(accounts.estimate({ kind: 'recover', units: 100 }, 1).samples).toBe(1);
  });

  it('know each client by what it has in flight', () => {
    const accounts = new Accounts(limits);
    const cost = { samples: 1, seconds: 0.1 };
    const greedy = { kind: 'denoise', units: 1, client: 'a' };
    for (let i = 0; i < 30; i++) accounts.count(greedy, undefined, cost);
    expect(accounts.refusal(greedy, undefined, cost)).toMatchObject({ code: 'overloaded' });
    expect(accounts.refusal({ ...greedy, client: 'b' }, undefined, cost)).toBeUndefined();
    expect(accounts.shareOf('a')).toBeCloseTo(0.75);
    for (let i = 0; i < 30; i++) accounts.count(greedy, cost, undefined);
    expect(accounts.shareOf('a')).toBe(0);
    expect(accounts.load.requests).toBe(0);
  });
});
