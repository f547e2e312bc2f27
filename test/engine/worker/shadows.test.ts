/** When shadow runs happen, and what they may hold. */
import { expect, it } from 'vitest';
import type { Calibration } from '../../../src/bundle/manifest.ts';
import type { SegmentRun, ShadowReport } from '../../../src/engine/transport/messages.ts';
import type { RunResult } from '../../../src/engine/types.ts';
import { Job } from '../../../src/engine/worker/jobs.ts';
import { Loop } from '../../../src/engine/worker/loop.ts';
import { Shadows } from '../../../src/engine/worker/shadows.ts';
import { clock } from '../../../src/util/clock.ts';
import { ELEMENTS, fakeModel, fakeSamples } from '../../support/fake-model.ts';
import { row } from '../../support/two-forms.ts';

const EXITS = [2, 4, 6];
const calibration: Calibration = {
  unit: 'dB',
  default: 0.2,
  data: 'made up',
  rows: [row(0.2, { threshold: 0.5 })],
  shadow_distance: 0.5,
};
const ran: number[] = [];
const model = fakeModel(EXITS, (values) => ran.push(values[0]!), {
  calibration,
});
const jobOf = (value: number, onlyWhenIdle = false): Job => {
  const job = new Job(0, model, fakeSamples(1, value), { threshold: 1 }, clock());
  job.onlyWhenIdle = onlyWhenIdle;
  return job;
};

/** An answer that left at depth 2 with values half as large as those of full depth. */
const early = (value: number, tolerance = { used: 0.2, guaranteed: true }): RunResult => ({
  model: 'fake',
  maxDepth: 6,
  tolerance,
  samples: [
    {
      depth: 2,
      reason: 'policy',
      pi: [1],
      outputs: { x: { data: new Float32Array(ELEMENTS).fill(value / 2), dims: [ELEMENTS] } },
    },
  ],
  timing: { queueMs: 0, computeMs: 1, totalMs: 1 },
});

it('run while nothing else waits, and go unreported', async () => {
  ran.length = 0;
  const runs: SegmentRun[] = [];
  const loop = new Loop((some) => runs.push(...some));
  const [idle, ...requests] = [jobOf(9, true), jobOf(1), jobOf(1)];
  loop.add(idle);
  for (const request of requests) loop.add(request);
  await idle.result;
  // The segment that had begun ends; the others wait for the requests.
  expect(ran).toEqual([9, 1, 1, 1, 1, 1, 1, 9, 9]);
  await expect.poll(() => runs.length).toBe(6);
});

it('do not delay a request: it finds the worker idle', async () => {
  const loop = new Loop(() => undefined);
  loop.add(jobOf(9, true));
  await Promise.resolve();
  const request = jobOf(1);
  loop.add(request);
  expect(request.foundIdle).toBe(true);
  await request.result;
});

it('are dropped where the worker is to end', async () => {
  ran.length = 0;
  const loop = new Loop(() => undefined);
  const jobs = [jobOf(9, true), jobOf(9, true), jobOf(9, true)];
  for (const job of jobs) loop.add(job);
  loop.dropIdle();
  const request = jobOf(1);
  loop.add(request);
  await request.result;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(ran.filter((value) => value === 9).length).toBeLessThan(EXITS.length * jobs.length);
  const before = ran.length;
  loop.dropIdle();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(ran).toHaveLength(before);
});

it('hold no more than their bytes, count what is dropped, and measure the distance', async () => {
  const loop = new Loop(() => undefined);
  const reports: ShadowReport[] = [];
  const one = 2 * 4 * ELEMENTS;
  const shadows = new Shadows(
    1,
    (job) => loop.add(job),
    (report) => reports.push(report),
    one,
  );
  const take = (): void => shadows.take(model, fakeSamples(1, 8), early(8));
  take();
  take();
  expect(reports).toEqual([{ model: 'fake' }]);
  await expect.poll(() => reports.length).toBe(2);
  // Half of the values at full depth are missing: a distance of 0.5, which is the quantile.
  expect(reports[1]).toEqual({ model: 'fake', distance: 1 });
  take();
  await expect.poll(() => reports.length).toBe(3);
  expect(reports[2]!.distance).toBe(1);
});

it('are made of early answers of the certified default alone', () => {
  const jobs: Job[] = [];
  const shadows = new Shadows(
    1,
    (job) => jobs.push(job),
    () => undefined,
  );
  shadows.take(model, fakeSamples(1), early(1, { used: 0.5, guaranteed: true }));
  shadows.take(model, fakeSamples(1), early(1, { used: 0.2, guaranteed: false }));
  const full = early(1);
  shadows.take(model, fakeSamples(1), {
    ...full,
    samples: full.samples.map((sample) => ({ ...sample, depth: 6 })),
  });
  expect(jobs).toHaveLength(0);
  shadows.take(model, fakeSamples(1), early(1));
  expect(jobs).toHaveLength(1);
});

it('run in the variant of the answer, measured by its table; not for samples of several variants', () => {
  const jobs: Job[] = [];
  const shadows = new Shadows(
    1,
    (job) => jobs.push(job),
    () => undefined,
  );
  const { segments, decoders } = model;
  const table = { ...calibration, rows: [row(0.15, { threshold: 0.5 })] };
  const variant = { ...{ name: 'int8', statistic: {}, segments, decoders }, calibration: table };
  const withVariant = { ...model, variants: [variant] };
  const answer = early(1, { used: 0.15, guaranteed: true });
  const sampleIn = (name: string) => ({ ...answer.samples[0]!, variant: name });
  const take = (...names: string[]): void =>
    shadows.take(withVariant, fakeSamples(names.length), {
      ...answer,
      samples: names.map(sampleIn),
    });
  take('int8', 'float');
  // Float has no row of 0.15.
  take('float');
  expect(jobs).toHaveLength(0);
  take('int8');
  expect(jobs.map(({ items }) => items.map((item) => item.variant?.name))).toEqual([['int8']]);
});

it('are drawn by number, as often as asked for', () => {
  const drawn = (share: number): number => {
    const shadows = new Shadows(
      share,
      () => undefined,
      () => undefined,
    );
    return Array.from({ length: 10_000 }, (_, id) => shadows.draws(id + 1)).filter(Boolean).length;
  };
  expect(drawn(0)).toBe(0);
  expect(drawn(1)).toBe(10_000);
  expect(Math.abs(drawn(0.05) - 500)).toBeLessThan(100);
});
