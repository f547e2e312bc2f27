/** What a loop does with deadlines that cannot be met. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ExitWatch, ReachedExit } from '../../../src/engine/types.ts';
import { clock } from '../../../src/util/clock.ts';
import { Job } from '../../../src/engine/worker/jobs.ts';
import { Loop } from '../../../src/engine/worker/loop.ts';
import type { LoadedModel } from '../../../src/engine/worker/models.ts';
import { Predictor } from '../../../src/engine/worker/predictor.ts';
import type { Tensors } from '../../../src/runtime/session.ts';
import type { StoppingParameters } from '../../../src/stopping/parameters.ts';
import { ELEMENTS, fakeModel as copyingModel, fakeSamples } from '../../support/fake-model.ts';

/** The time of `clock()`, ms: only the fake sessions let it pass, 10 ms for each sample of a batch. */
let now = 0;
let runs = 0;
beforeEach(() => {
  [now, runs] = [0, 0];
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => void vi.restoreAllMocks());

/** A model whose segments each take 10 ms a sample; with exit 0 its input is an answer that needs no run. */
const fakeModel = (exits: readonly number[], took = 10): LoadedModel =>
  copyingModel(exits, (values) => {
    now += (took * values.length) / ELEMENTS;
    runs++;
  });

const jobOf = (model: LoadedModel, count: number, deadlineMs?: number, watch?: ExitWatch): Job =>
  new Job(
    0,
    model,
    fakeSamples(count),
    { threshold: 1, ...(deadlineMs !== undefined && { deadlineMs }) },
    clock(),
    watch,
  );
const seen = async (job: Job): Promise<[number, string][]> =>
  (await job.result).samples.map(({ depth, reason }) => [depth, reason]);

describe('a deadline', () => {
  it('that is short still gets the first exit on an idle worker, late by one segment', async () => {
    const loop = new Loop(() => undefined);
    const job = jobOf(fakeModel([2, 4]), 1, 1);
    loop.add(job);
    expect(await seen(job)).toEqual([[2, 'deadline']]);
    expect(now).toBe(10);
  });

  it('that passes in the queue is refused and never computed late', async () => {
    const loop = new Loop(() => undefined);
    const model = fakeModel([2, 4]);
    const [first, late] = [jobOf(model, 3), jobOf(model, 1, 5)];
    loop.add(first);
    loop.add(late);
    await expect(late.result).rejects.toMatchObject({ code: 'deadline-missed', status: 503 });
    await first.result;
    expect(runs).toBe(6);
    expect(now).toBe(60);
  });

  it('is kept by a sample that waits while others run: it leaves before the run that would pass it', async () => {
    const loop = new Loop(() => undefined);
    const model = fakeModel([2, 4, 6]);
    const timed = jobOf(model, 1, 25);
    loop.add(timed);
    const others = Array.from({ length: 3 }, () => jobOf(model, 1));
    for (const other of others) loop.add(other);
    const { timing, samples: answered } = await timed.result;
    expect(answered[0]).toMatchObject({ depth: 2, reason: 'deadline' });
    expect(timing.totalMs).toBeLessThanOrEqual(25);
    await Promise.all(others.map(({ result }) => result));
  });

  it('that cannot be met by every tile refuses the image at once, without a run', async () => {
    const loop = new Loop(() => undefined);
    const job = jobOf(fakeModel([2, 4]), 100, 500);
    loop.add(job);
    await expect(job.result).rejects.toMatchObject({ code: 'deadline-missed' });
    expect(runs).toBe(0);
  });

  it('answers tiles that never ran by the input where the model has exit 0', async () => {
    const loop = new Loop(() => undefined);
    const job = jobOf(fakeModel([0, 2, 4]), 100, 35);
    loop.add(job);
    const depths = await seen(job);
    expect(depths.filter(([depth]) => depth === 2)).toHaveLength(3);
    expect(depths.filter(([depth]) => depth === 0)).toHaveLength(97);
    expect(now).toBe(30);
  });

  it('is late by one segment at most where runs take longer than they did', async () => {
    const loop = new Loop(() => undefined);
    const job = jobOf(fakeModel([0, 2, 4], 30), 100, 35);
    loop.add(job);
    expect((await seen(job)).filter(([depth]) => depth > 0)).toHaveLength(1);
    expect(now).toBeLessThanOrEqual(35 + 30);
  });

  it('leaves the time for others that have to be read out before the run', async () => {
    const loop = new Loop(() => undefined);
    const model = fakeModel([2, 4, 6]);
    const decoder = { run: ({ x }: Tensors) => ((now += 4), Promise.resolve({ x: x! })) };
    const reading = { ...model, decoders: new Map([[2, { reads: ['x'], session: decoder }]]) };
    const known = jobOf(reading as unknown as LoadedModel, 1, 12);
    loop.add(known);
    await known.result;
    const slow = Array.from({ length: 3 }, () => jobOf(fakeModel([2, 4, 6]), 1));
    const deadlines = [45, 41];
    const jobs = deadlines.map((ms) => jobOf(reading as unknown as LoadedModel, 1, ms));
    for (const job of [...jobs, ...slow]) loop.add(job);
    const results = await Promise.all(jobs.map(({ result }) => result));
    for (const [i, { timing, samples: answered }] of results.entries()) {
      expect(answered[0]).toMatchObject({ depth: 2, reason: 'deadline' });
      expect(timing.totalMs).toBeLessThanOrEqual(deadlines[i]!);
    }
    await Promise.all(slow.map(({ result }) => result));
  });

  it('is judged by the spread of run times: unsteady segments leave a margin', async () => {
    const loop = new Loop(() => undefined);
    const model = fakeModel([0, 2]);
    const steady = jobOf(model, 1, 12);
    loop.add(steady);
    expect(await seen(steady)).toEqual([[2, 'max_depth']]);
    Object.assign(model.segments[0]!, { deviation: 5 / ELEMENTS });
    const unsteady = jobOf(model, 1, 12);
    loop.add(unsteady);
    expect(await seen(unsteady)).toEqual([[0, 'deadline']]);
  });
});

describe('predicted compute', () => {
  const predict = (predictor: Predictor, stopping: StoppingParameters = {}, cap?: number) =>
    predictor.ms(fakeModel([2, 4, 6]), ELEMENTS, stopping, cap);

  it('is that of full depth before anything was answered, in proportion to the elements', () => {
    const predictor = new Predictor();
    expect(predict(predictor)).toBeCloseTo(30);
    expect(predictor.ms(fakeModel([2, 4, 6]), 10 * ELEMENTS)).toBeCloseTo(300);
  });

  it('follows the depths now being taken, for each model', () => {
    const predictor = new Predictor();
    const { manifest } = fakeModel([2, 4, 6]);
    predictor.observe(manifest, new Array<number>(200).fill(2));
    expect(predict(predictor)).toBeCloseTo(10, 0);
    predictor.observe(
      manifest,
      Array.from({ length: 400 }, (_, i) => (i % 2 ? 2 : 6)),
    );
    expect(predict(predictor)).toBeGreaterThan(18);
    expect(predict(predictor)).toBeLessThan(22);
    predictor.observe({ ...manifest, name: 'other' }, [2]);
    expect(predict(predictor)).toBeGreaterThan(18);
  });

  it('counts a fixed depth in full, and nothing beyond max_depth or what load permits', () => {
    const predictor = new Predictor();
    predictor.observe(fakeModel([2, 4, 6]).manifest, new Array<number>(200).fill(2));
    expect(predict(predictor, { depth: 6 })).toBeCloseTo(30);
    expect(predict(predictor, { minDepth: 4 })).toBeCloseTo(20, 0);
    expect(predict(new Predictor(), { maxDepth: 4 })).toBeCloseTo(20);
    expect(predict(predictor, { depth: 6 }, 0)).toBeCloseTo(10);
  });
});

describe('a request that follows its exits', () => {
  const follow = async (model: LoadedModel, deadlineMs?: number, share = 1) => {
    const loop = new Loop(() => undefined);
    loop.share = share;
    const exits: ReachedExit[] = [];
    const watch = { wantsOutputs: false, reached: (exit: ReachedExit) => exits.push(exit) };
    const job = jobOf(model, 1, deadlineMs, watch);
    loop.add(job);
    return { answer: await seen(job), exits };
  };
  const plain = async (model: LoadedModel, deadlineMs?: number, share = 1) => {
    now = 0;
    const loop = new Loop(() => undefined);
    loop.share = share;
    const job = jobOf(model, 1, deadlineMs);
    loop.add(job);
    return seen(job);
  };

  it.each([
    ['a deadline', 25, 1, [4, 'deadline']],
    ['load', undefined, 0.5, [4, 'load']],
    ['neither', undefined, 1, [8, 'max_depth']],
  ] as const)('is told of the exits up to its answer with %s', async (_, deadline, share, last) => {
    const model = fakeModel([2, 4, 6, 8]);
    const { answer, exits } = await follow(model, deadline, share);
    expect(answer).toEqual([last]);
    expect(answer).toEqual(await plain(model, deadline, share));
    expect(exits.map(({ depth }) => depth)).toEqual([2, 4, 6, 8].filter((exit) => exit <= last[0]));
    // At a deadline it turns out later that the last exit was the last.
    expect(exits.at(-1)).toMatchObject({ depth: last[0], stopped: deadline === undefined });
    if (deadline !== undefined)
      for (const { elapsedMs } of exits) expect(elapsedMs).toBeLessThanOrEqual(deadline);
  });
});
