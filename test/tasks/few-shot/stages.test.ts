import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LabelledImages } from '../../../src/data/class-folders.ts';
import { Random } from '../../../src/data/random.ts';
import { input, mul, reduceSum } from '../../../src/graph/operators.ts';
import { floats, tensor } from '../../../src/runtime/session.ts';
import { sharesOf } from '../../../src/training/export.ts';
import {
  fewShotDefaults,
  perTask,
  type FewShotConfig,
} from '../../../src/tasks/few-shot/config.ts';
import { Interrupted, type Progress } from '../../../src/training/stage-run.ts';
import { splitClasses } from '../../../src/tasks/few-shot/classes.ts';
import { fewShot } from '../../../src/tasks/learning.ts';
import { train } from '../../../src/training/train.ts';
import { drawRows, tabulate } from '../../../src/training/table.ts';
import { smallMaml } from '../../support/small.ts';

const SIDE = 8;
const config: FewShotConfig = {
  ...fewShotDefaults.drawings,
  form: 'stop',
  side: SIDE,
  features: 4,
  depth: 2,
  exits: [1, 2],
  ways: [4],
  shots: [1, 3],
  held: 0.25,
  order: 'first',
  warmUp: { steps: 0, rate: 1e-3, beta: 1 },
  stageOne: { steps: 1, rate: 1e-3, beta: 1 },
  stageTwo: { ...fewShotDefaults.drawings.stageTwo, steps: 60, tasks: 12, batch: 8, ways: [4, 2] },
};

/** Classes that differ by a pattern under noise. */
function noisyClasses(count: number, each: number): LabelledImages {
  const random = new Random(4);
  const area = SIDE * SIDE;
  const patterns = Array.from({ length: count }, () =>
    Float32Array.from({ length: area }, () => random.uniform()),
  );
  const classes = Array.from({ length: count * each }, (_, i) => Math.floor(i / each));
  const images = classes.map((k) => ({
    channels: 1 as const,
    width: SIDE,
    height: SIDE,
    data: patterns[k]!.map((value) => 0.5 * value + 0.5 * random.uniform()),
  }));
  return { labels: patterns.map((_, k) => `class ${k}`), images, classes };
}

const images = noisyClasses(8, 9);
const run = async (path?: string) => ({
  threads: 1,
  folder: path ?? (await mkdtemp(join(tmpdir(), 'stopwise-few-shot-'))),
  resume: false,
  checkpointSeconds: 1e9,
  onProgress: (): void => undefined,
});

describe('a policy for few-shot tasks', () => {
  it('learns from a table of tasks, and goes on exactly where it was interrupted', async () => {
    const seen: Progress[] = [];
    const whole = await train(fewShot, config, images, {
      ...(await run()),
      onProgress: (progress) => seen.push(progress),
    });
    const of = (stage: string): Progress[] => seen.filter((progress) => progress.stage === stage);
    expect(of('stage-2, preparing').map(({ progress }) => progress)).toEqual(
      Array.from({ length: 12 }, (_, i) => (i + 1) / 12),
    );
    const losses = of('stage-2').map(({ loss }) => loss);
    expect(losses).toHaveLength(60);
    expect(losses.at(-1)!).toBeLessThan(0.97 * losses[0]!);

    const options = await run();
    // Among the tasks, which are then adapted anew, and among the steps.
    for (const after of [1 + 4, 20]) {
      let calls = 0;
      const interrupted = train(fewShot, config, images, {
        ...options,
        resume: after === 20,
        interrupted: () => ++calls === after,
      });
      await expect(interrupted).rejects.toThrow(Interrupted);
    }
    const resumed = await train(fewShot, config, images, { ...options, resume: true });
    expect(resumed.lowered.contents).toEqual(whole.lowered.contents);
  }, 60_000);

  it('has classes of its own, whole ones, where there are enough', () => {
    const { layers, policy, separate } = splitClasses(config, images);
    expect(separate).toBe(true);
    expect([layers.labels.length, policy.labels.length, policy.images.length]).toEqual([6, 2, 18]);
    expect([...layers.labels, ...policy.labels].sort()).toEqual([...images.labels].sort());
    const place = images.labels.indexOf(policy.labels[1]!);
    expect(policy.images.filter((_, i) => policy.classes[i] === 1)).toEqual(
      images.images.filter((_, i) => images.classes[i] === place),
    );
    for (const change of [{ turns: false, ways: [5] }, { held: 0 }, { form: 'fixed' as const }])
      expect(splitClasses({ ...config, ...change }, images)).toEqual({
        layers: images,
        policy: images,
        separate: false,
      });
  });
});

describe('a table', () => {
  const x = input('x', [1, 'n']);
  const columns = { twice: mul(x, 2), sum: reduceSum(mul(x, input('w', [])), [1]) };
  const samples = [Float32Array.of(1, 2), Float32Array.of(3, 4), Float32Array.of(5, 6)];

  it('has a row of every column for each sample, and is drawn from row by row', async () => {
    let i = 0;
    const shares: number[] = [];
    const table = await tabulate(columns, new Map([['w', Float32Array.of(10)]]), {
      count: 3,
      runOn: { threads: 1 },
      next: () => ({ x: tensor(samples[i++]!, [1, 2]) }),
      onProgress: (share) => shares.push(share),
    });
    expect(shares).toEqual([1 / 3, 2 / 3, 1]);
    expect([...table.get('sum')!].map(([value]) => value)).toEqual([30, 70, 110]);
    const { twice, sum } = drawRows(table, 50, new Random(1));
    expect([twice!.dims, sum!.dims]).toEqual([
      [50, 2],
      [50, 1],
    ]);
    floats(sum!).forEach((value, row) =>
      expect(value).toBe(5 * (floats(twice!)[2 * row]! + floats(twice!)[2 * row + 1]!)),
    );
    expect(new Set(floats(sum!)).size).toBe(3);
  });
});

it('a path costs at each exit its share of the operations: the first step of three is the cheapest', () => {
  const shares = sharesOf(smallMaml(), perTask);
  expect(shares).toHaveLength(3);
  expect(shares[2]).toBe(1);
  expect(shares[0]!).toBeLessThan(0.3);
  expect(shares[2]! - shares[1]!).toBeCloseTo(shares[1]! - shares[0]!, 5);
});
