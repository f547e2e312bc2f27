import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SegmentRun } from '../../../src/engine/transport/messages.ts';
import type { Sample } from '../../../src/engine/types.ts';
import { clock } from '../../../src/util/clock.ts';
import { Job } from '../../../src/engine/worker/jobs.ts';
import { Loop } from '../../../src/engine/worker/loop.ts';
import type { LoadedModel } from '../../../src/engine/worker/models.ts';
import { tensor, type Tensors } from '../../../src/runtime/session.ts';
import type { StoppingParameters } from '../../../src/stopping/parameters.ts';

/** The time of `clock()`, ms: only the fake sessions let it pass, 1 ms for each sample of a batch. */
let now = 0;
beforeEach(() => {
  now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => void vi.restoreAllMocks());

const ELEMENTS = 4;
const sample = (value = 0): Sample => ({
  x: { data: new Float32Array(ELEMENTS).fill(value), dims: [ELEMENTS] },
});
const samples = (count: number, value = 0): Sample[] =>
  Array.from({ length: count }, () => sample(value));

/** Layers 1..4 with the exits 2, 3 and 4, each a segment that copies its input and gives π = 0.5. */
function fakeModel(before: (values: readonly number[]) => void = () => undefined): LoadedModel {
  const run = ({ x }: Tensors): Promise<Tensors> => {
    const values = [...(x!.data as Float32Array)];
    before(values);
    const count = values.length / ELEMENTS;
    now += count;
    return Promise.resolve({
      next_x: x!,
      pi: tensor(new Float32Array(count).fill(0.5), [count]),
    });
  };
  const segment = { reads: ['x'], writes: ['x'], session: { run }, limit: 1 };
  return {
    manifest: {
      name: 'fake',
      depth: 4,
      exits: [2, 3, 4],
      inputs: [{ name: 'x', shape: ['N', ELEMENTS] }],
      outputs: [{ name: 'x' }],
    },
    firstExit: 0,
    decoders: new Map(),
    policyFiles: new Map(),
    variants: [],
    segments: [2, 3, 4].map((last) => ({ ...segment, last, msPerElement: 1 / ELEMENTS })),
  } as unknown as LoadedModel;
}

const jobOf = (
  model: LoadedModel,
  given: readonly Sample[],
  stopping: StoppingParameters = { threshold: 1 },
): Job => new Job(0, model, given, stopping, clock());

async function resultOf(job: Job): Promise<[depth: number, reason: string][]> {
  const result = await job.result;
  return result.samples.map(({ depth, reason }) => [depth, reason]);
}

describe('the loop', () => {
  it('lets samples go deeper only while there is time for the first segments of the others', async () => {
    const loop = new Loop(() => undefined);
    // The first segments of ten samples take 10 ms, which leaves 2.5 ms: two segments of 1 ms.
    const job = jobOf(fakeModel(), samples(10), { threshold: 1, deadlineMs: 12.5 });
    loop.add(job);
    expect(await resultOf(job)).toEqual([
      [4, 'max_depth'],
      ...Array.from({ length: 9 }, () => [2, 'deadline']),
    ]);
    expect(now).toBe(12);
  });

  it('stops samples earlier under load', async () => {
    const loop = new Loop(() => undefined);
    loop.share = 0.5;
    const job = jobOf(fakeModel(), samples(2));
    loop.add(job);
    expect(await resultOf(job)).toEqual([
      [3, 'load'],
      [3, 'load'],
    ]);
  });

  it('runs nothing more of a cancelled job, and goes on with the others', async () => {
    const loop = new Loop(() => undefined);
    let runs = 0;
    const model = fakeModel(([value]) => {
      if (value !== 1) return;
      runs++;
      cancelled.fail(new Error('cancelled'));
      loop.remove(cancelled);
    });
    const cancelled = jobOf(model, samples(5, 1));
    const other = jobOf(model, samples(2, 2));
    loop.add(cancelled);
    loop.add(other);
    await expect(cancelled.result).rejects.toThrow('cancelled');
    expect(await resultOf(other)).toEqual([
      [4, 'max_depth'],
      [4, 'max_depth'],
    ]);
    expect(runs).toBe(1);
  });

  it('fails the jobs of a batch whose run fails, and no others', async () => {
    const loop = new Loop(() => undefined);
    const model = fakeModel(([value]) => {
      if (value === 1) throw new Error('out of memory');
    });
    const [failing, other] = [jobOf(model, samples(1, 1)), jobOf(model, samples(1, 2))];
    loop.add(failing);
    loop.add(other);
    await expect(failing.result).rejects.toThrow('out of memory');
    expect(await resultOf(other)).toEqual([[4, 'max_depth']]);
  });

  it('reports every run, with its layer and batch', async () => {
    const runs: SegmentRun[] = [];
    const loop = new Loop((reported) => runs.push(...reported));
    const job = jobOf(fakeModel(), samples(1));
    loop.add(job);
    await job.result;
    await vi.waitFor(() => expect(runs).toHaveLength(3));
    expect(runs.map(({ layer, batch, seconds }) => [layer, batch, seconds])).toEqual([
      [2, 1, 0.001],
      [3, 1, 0.001],
      [4, 1, 0.001],
    ]);
  });
});
