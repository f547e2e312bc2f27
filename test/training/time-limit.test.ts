import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { square } from '../../src/graph/functions.ts';
import { input, reduceSum } from '../../src/graph/operators.ts';
import { deadlinesOf, runStages } from '../../src/training/loop.ts';
import type { Stage } from '../../src/training/stage-run.ts';

const w = input('w', [2]);
const stage = (name: string, change: Partial<Stage>): Stage => ({
  name,
  loss: reduceSum(square(w)),
  learn: new Map([['w', w]]),
  rate: () => 1e-3,
  steps: 1e9,
  timeShare: 1,
  fillsTime: false,
  batch: () => ({}),
  ...change,
});

const run = async (stages: Stage[], minutes: number) =>
  runStages(stages, {
    weights: new Map([['w', new Float32Array(2).fill(1)]]),
    source: { state: () => null, restore: () => undefined },
    config: {},
    folder: await mkdtemp(join(tmpdir(), 'stopwise-limit-')),
    resume: false,
    checkpointSeconds: 1e9,
    threads: 1,
    minutes,
    onProgress: () => undefined,
  });

it('ends every stage by its share of the time', async () => {
  const start = performance.now();
  const reports = await run([stage('one', { timeShare: 3 }), stage('two', {})], 2 / 60);
  const seconds = (performance.now() - start) / 1000;
  // Without a limit the second stage alone would take hours.
  expect(seconds).toBeGreaterThan(1.9);
  expect(seconds).toBeLessThan(8);
  expect(reports.one!.steps).toBeGreaterThan(reports.two!.steps);
  expect(reports.two!.steps).toBeGreaterThan(0);
}, 30_000);

it('fills the time of a stage that says so, and leaves what others do not need to the next', async () => {
  const filled: number[] = [];
  const reports = await run(
    [
      stage('short', { steps: 2, timeShare: 1 }),
      stage('long', {
        steps: 2,
        fillsTime: true,
        batch: (progress) => {
          filled.push(progress);
          return {};
        },
      }),
    ],
    1 / 60,
  );
  expect(reports.short!.steps).toBe(2);
  expect(reports.long!.steps).toBeGreaterThan(2);
  expect(filled.at(-1)!).toBeGreaterThan(0.5);
  expect(filled.every((progress, i) => progress >= (filled[i - 1] ?? 0))).toBe(true);
}, 30_000);

it('divides the time by the shares of the stages that have steps', () => {
  const shares = [
    { steps: 5, timeShare: 4 },
    { steps: 0, timeShare: 9 },
    { steps: 7, timeShare: 8 },
  ];
  expect(deadlinesOf(shares, 60)).toEqual([20, 20, 60]);
});
