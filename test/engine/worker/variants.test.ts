/** When the variant of an image is chosen, and that queues keep variants apart. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ExitWatch, Sample } from '../../../src/engine/types.ts';
import type { ReachedExit } from '../../../src/engine/types.ts';
import { Job } from '../../../src/engine/worker/jobs.ts';
import { Loop } from '../../../src/engine/worker/loop.ts';
import type { LoadedModel } from '../../../src/engine/worker/models.ts';
import { Predictor } from '../../../src/engine/worker/predictor.ts';
import { Queues } from '../../../src/engine/worker/queues.ts';
import { declineReason } from '../../../src/engine/worker/variants.ts';
import { tensor, type Tensors } from '../../../src/runtime/session.ts';
import type { StoppingParameters } from '../../../src/stopping/parameters.ts';
import { clock } from '../../../src/util/clock.ts';

/** The time of `clock()`, ms: each run takes 1 ms for each of its samples. */
let now = 0;
/** The runs so far: the segment's last layer, its form, and the samples' inputs. */
let runs: [exit: number, form: string, values: number[]][] = [];
let before: () => void = () => undefined;
beforeEach(() => {
  now = 0;
  runs = [];
  before = () => undefined;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => void vi.restoreAllMocks());

/** Sessions that were freed. */
let released = 0;

/**
 * Exits 0, 2 and 4. The statistic is the input; π is 0. The variant is for statistics of 10 and more.
 * @param ms of a run, for each sample
 */
function modelWithVariant(limit = 1, ms = 1): LoadedModel {
  const session = (last: number, form: string) => ({
    release: () => {
      released++;
      return Promise.resolve();
    },
    run: ({ x }: Tensors): Promise<Tensors> => {
      before();
      const values = x!.data as Float32Array;
      runs.push([last, form, [...values]]);
      now += ms * values.length;
      const pi = tensor(new Float32Array(values.length), [values.length]);
      return Promise.resolve({ next_x: x!, next_level: tensor(values, [values.length]), pi });
    },
  });
  const segment = (last: number, form: string) => ({
    ...{ last, reads: ['x'], writes: last === 0 ? ['level'] : ['x'], limit, msPerElement: ms },
    session: session(last, form),
  });
  const own = [segment(0, 'float'), segment(2, 'float'), segment(4, 'float')];
  const statistic = { minimum: 10 };
  return {
    manifest: {
      ...{ name: 'fake', depth: 4, exits: [0, 2, 4], statistic: 'level' },
      inputs: [{ name: 'x', shape: ['N', 1] }],
      outputs: [{ name: 'x' }],
      variants: [{ name: 'int8' }],
    },
    ...{ firstExit: 0, decoders: new Map(), policyFiles: new Map(), segments: own },
    declined: [],
    variants: [
      {
        ...{ name: 'int8', statistic, decoders: new Map() },
        segments: [own[0]!, segment(2, 'int8'), segment(4, 'int8')],
      },
    ],
  } as unknown as LoadedModel;
}

const samples = (values: readonly number[]): Sample[] =>
  values.map((value) => ({ x: { data: Float32Array.of(value), dims: [1] } }));
const mean = (parts: readonly number[]): number => parts.reduce((a, b) => a + b) / parts.length;
const image = (
  model: LoadedModel,
  values: readonly number[],
  stopping: StoppingParameters = { threshold: 1 },
  watch?: ExitWatch,
): Job => new Job(0, model, samples(values), stopping, clock(), watch, { imageStatistic: mean });
const resultOf = async ({ result }: Job) =>
  (await result).samples.map(({ depth, reason, variant }) => [depth, reason, variant]);

describe('an image of several parts', () => {
  it('is run in one form, chosen by the statistic of the whole', async () => {
    const loop = new Loop(() => undefined);
    const model = modelWithVariant();
    const [noisy, clean] = [image(model, [2, 30]), image(model, [2, 12])];
    loop.add(noisy);
    loop.add(clean);
    expect(await resultOf(noisy)).toEqual(Array(2).fill([4, 'max_depth', 'int8']));
    expect(await resultOf(clean)).toEqual(Array(2).fill([4, 'max_depth', 'float']));
  });

  it('waits with its first part for the last, and no other request waits', async () => {
    const loop = new Loop(() => undefined);
    const model = modelWithVariant();
    const job = image(model, [11, 12, 13]);
    loop.add(job);
    await job.result;
    expect(runs.slice(0, 3).map(([exit]) => exit)).toEqual([0, 0, 0]);
    expect(runs.slice(3).every(([exit, form]) => exit > 0 && form === 'int8')).toBe(true);
    expect(runs).toHaveLength(9);
  });

  it('chooses at once where each sample is its own image', async () => {
    const loop = new Loop(() => undefined);
    const job = new Job(0, modelWithVariant(), samples([2, 30]), { threshold: 1 }, clock());
    loop.add(job);
    expect(await resultOf(job)).toEqual([
      [4, 'max_depth', 'float'],
      [4, 'max_depth', 'int8'],
    ]);
    expect(runs.map(([exit]) => exit)).toEqual([0, 2, 4, 0, 2, 4]);
  });

  it('that is cancelled while its parts wait leaves nothing behind', async () => {
    const loop = new Loop(() => undefined);
    const model = modelWithVariant();
    const [job, other] = [image(model, [11, 12, 13]), image(model, [30, 31])];
    loop.add(job);
    before = () => {
      if (runs.length !== 1) return;
      job.fail(new Error('cancelled'));
      loop.remove(job);
    };
    loop.add(other);
    await expect(job.result).rejects.toThrow('cancelled');
    expect(await resultOf(other)).toEqual(Array(2).fill([4, 'max_depth', 'int8']));
    expect(runs.filter(([, , [value]]) => value === 13)).toEqual([]);
  });

  it('fails as a whole where one of its parts fails, and leaves nothing waiting', async () => {
    const loop = new Loop(() => undefined);
    const model = modelWithVariant();
    const [job, other] = [image(model, [11, 12, 13]), image(model, [30, 31])];
    before = () => {
      if (runs.length === 1) throw new Error('out of memory');
    };
    loop.add(job);
    await expect(job.result).rejects.toThrow('out of memory');
    before = () => undefined;
    loop.add(other);
    expect(await resultOf(other)).toEqual(Array(2).fill([4, 'max_depth', 'int8']));
    // Nothing holds on to the model any more.
    released = 0;
    loop.retire(model);
    await vi.waitFor(() => expect(released).toBe(5));
  });

  it('is answered by the deadline, also where parts wait for others', async () => {
    const loop = new Loop(() => undefined);
    const model = modelWithVariant();
    const late = image(model, [11, 12, 13, 14], { threshold: 1, deadlineMs: 2.5 });
    loop.add(late);
    expect((await late.result).samples.map(({ depth, reason }) => [depth, reason])).toEqual(
      Array(4).fill([0, 'deadline']),
    );
    expect(now).toBeLessThanOrEqual(2.5);
    // A long run of another request comes before its second part, and ends after the deadline.
    const between = image(model, [11, 12], { threshold: 1, deadlineMs: 20 });
    const long = image(modelWithVariant(1, 50), [11]);
    let answeredAt = Number.POSITIVE_INFINITY;
    void between.result.then(() => (answeredAt = clock()));
    before = () => {
      before = () => undefined;
      loop.add(long);
    };
    loop.add(between);
    await Promise.all([between.result, long.result]);
    expect(answeredAt - between.arrivedAt).toBeLessThanOrEqual(20);
    const inTime = image(model, [11, 12], { threshold: 1, deadlineMs: 100 });
    loop.add(inTime);
    expect(await resultOf(inTime)).toEqual(Array(2).fill([4, 'max_depth', 'int8']));
  });

  it('stops earlier under load, in its variant', async () => {
    const loop = new Loop(() => undefined);
    loop.share = 0.5;
    const job = image(modelWithVariant(), [11, 12]);
    loop.add(job);
    expect(await resultOf(job)).toEqual(Array(2).fill([2, 'load', 'int8']));
  });

  it('stops at a fixed exit, 0 included, and tells every exit once', async () => {
    for (const depth of [0, 2, 4]) {
      const told: [number, number][] = [];
      const watch: ExitWatch = {
        wantsOutputs: false,
        reached: ({ sample, depth }: ReachedExit) => told.push([sample, depth]),
      };
      const loop = new Loop(() => undefined);
      const job = image(modelWithVariant(), [11, 12], { rule: 'fixed', depth }, watch);
      loop.add(job);
      const form = depth === 0 ? 'float' : 'int8';
      expect(await resultOf(job)).toEqual(Array(2).fill([depth, 'fixed', form]));
      const expected = [0, 2, 4].filter((exit) => exit <= depth);
      for (const part of [0, 1])
        expect(told.filter(([sample]) => sample === part).map(([, exit]) => exit)).toEqual(
          expected,
        );
    }
  });
});

it('batches never mix variants', async () => {
  const loop = new Loop(() => undefined);
  const model = modelWithVariant(16);
  const jobs = [2, 30, 3, 40, 4, 50].map(
    (value) => new Job(0, model, samples([value]), { threshold: 1 }, clock()),
  );
  for (const job of jobs) loop.add(job);
  await Promise.all(jobs.map(({ result }) => result));
  for (const [exit, form, values] of runs)
    if (exit > 0) expect(values.every((value) => value >= 10 === (form === 'int8'))).toBe(true);
  expect(runs.filter(([exit]) => exit > 0).some(([, , values]) => values.length > 1)).toBe(true);

  const queues = new Queues();
  const items = jobs.slice(0, 2).flatMap((job) => job.items);
  for (const item of items) Object.assign(item, { next: 1 });
  items[1]!.runIn(model.variants[0]);
  for (const item of items) queues.add(item);
  expect([queues.take(), queues.take()].map((taken) => taken?.batch.length)).toEqual([1, 1]);
});

it('the prediction learns how many samples take a variant, and what it costs', () => {
  const model = modelWithVariant();
  for (const { segments } of model.variants)
    for (const segment of segments.slice(1)) segment.msPerElement = 0.25;
  const predictor = new Predictor();
  expect(predictor.ms(model, 1)).toBeCloseTo(3);
  for (let i = 0; i < 200; i++) predictor.observe(model.manifest, [4], ['int8']);
  expect(predictor.ms(model, 1)).toBeCloseTo(1.5, 1);
  for (let i = 0; i < 200; i++) predictor.observe(model.manifest, [4, 2], ['int8', 'float']);
  // Half the samples run 1 + 0.25 + 0.25, the others 1 + 1.
  expect(predictor.ms(model, 1)).toBeCloseTo(1.75, 1);
  // A bundle of the name without variants runs all in float.
  expect(predictor.ms({ ...model, variants: [] }, 1, { depth: 4 })).toBeCloseTo(3);
});

it('variants are declined on a GPU, where that is set, and where another worker found them slower', () => {
  const slower = { name: 'int8', limits: [], declined: 'it is no faster here' };
  const known = { model: 'fake', limits: [], pathIsFaster: false, variants: [slower] };
  expect(declineReason('int8', 'webgpu', 'auto', undefined)).toBe(
    'the webgpu provider runs float alone',
  );
  expect(declineReason('int8', 'cpu', 'float', undefined)).toBe('the service is set to float');
  expect(declineReason('int8', 'cpu', 'auto', known)).toBe('it is no faster here');
  expect(declineReason('int8', 'cpu', 'auto', undefined)).toBeUndefined();
  expect(declineReason('int8', 'cpu', 'int8', undefined)).toBeUndefined();
});
