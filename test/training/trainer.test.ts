import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { singularValues } from '../../src/families/matrix.ts';
import { square } from '../../src/graph/functions.ts';
import { toModel } from '../../src/graph/model.ts';
import {
  add,
  input,
  log,
  matmul,
  mul,
  reduceMean,
  reduceSum,
  sub,
} from '../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { readCheckpoint } from '../../src/training/checkpoint.ts';
import { WEIGHTS } from '../../src/training/export.ts';
import { runStages } from '../../src/training/loop.ts';
import { checkpointFile, Interrupted, type StageReport } from '../../src/training/stage-run.ts';
import { orthogonalised } from '../../src/training/orthogonalised.ts';
import { recoveryDefaults, type RecoveryConfig } from '../../src/tasks/sparse-recovery/config.ts';
import { sparseRecovery } from '../../src/tasks/learning.ts';
import { train, type TrainOptions } from '../../src/training/train.ts';
import { decodeTensors } from '../../src/training/safetensors.ts';
import { Trainer } from '../../src/training/trainer.ts';
import { initialWeights } from '../../src/training/weights.ts';
import { smallLista, smallMatrix } from '../support/small.ts';

const trainSmall = (given: RecoveryConfig, options: TrainOptions) =>
  train(sparseRecovery, given, { matrix: smallMatrix }, options);

const config: RecoveryConfig = {
  ...recoveryDefaults.coupled,
  depth: 3,
  batch: 16,
  stageOne: { steps: 30, rate: 3e-3, beta: 2 },
  stageTwo: { ...recoveryDefaults.coupled.stageTwo, steps: 10 },
};

const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'stopwise-train-'));
const quiet = (path: string) => ({
  threads: 1,
  folder: path,
  resume: false,
  checkpointSeconds: 1e9,
  onProgress: () => undefined,
});

describe('Adam', () => {
  it('takes the step of its formula, and solves a linear regression', async () => {
    const w = input('w', [2, 1]);
    const [x, y] = [input('x', [4, 2]), input('y', [4, 1])];
    const weights = new Map([['w', Float32Array.of(1, -1)]]);
    const trainer = await Trainer.create({
      loss: reduceMean(square(sub(matmul(x, w), y))),
      learn: new Map([['w', w]]),
      weights,
      threads: 1,
      adam: { clipNorm: 1e9, weightDecay: 0.1 },
    });
    const feeds = {
      x: tensor(Float32Array.of(1, 0, 0, 1, 1, 1, 2, -1), [4, 2]),
      y: tensor(Float32Array.of(3, 2, 5, 4), [4, 1]),
    };
    await trainer.step(feeds, 0.01);
    trainer.store();
    // The first step of Adam is the rate times the gradient's sign, and the decay: the gradient is negative at both.
    expect(weights.get('w')![0]).toBeCloseTo(1 + 0.01 - 0.01 * 0.1 * 1, 5);
    expect(weights.get('w')![1]).toBeCloseTo(-1 + 0.01 + 0.01 * 0.1 * 1, 5);
    await trainer.release();
    const fit = await Trainer.create({
      loss: reduceMean(square(sub(matmul(x, w), y))),
      learn: new Map([['w', w]]),
      weights,
      threads: 1,
    });
    for (let i = 0; i < 600; i++) await fit.step(feeds, 0.02);
    fit.store();
    expect(weights.get('w')![0]).toBeCloseTo(3, 2);
    expect(weights.get('w')![1]).toBeCloseTo(2, 2);
    await fit.release();
  });

  it('stops with a sentence when the loss is not finite', async () => {
    const w = input('w', []);
    const trainer = await Trainer.create({
      loss: log(w),
      learn: new Map([['w', w]]),
      weights: new Map([['w', Float32Array.of(-1)]]),
      threads: 1,
    });
    await expect(trainer.step({}, 0.1)).rejects.toThrow(/step 1: the loss is NaN.*--resume/);
    await trainer.release();
  });
});

/** What a run says of its stages, without the time they took. */
const steady = ({ stages }: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(stages as Record<string, StageReport>).map(([name, { steps, curve }]) => [
      name,
      { steps, curve },
    ]),
  );

describe('orthogonalised steps', () => {
  const [filters, inputs] = [4, 18];
  const shape = [filters, 2, 3, 3];

  it('have singular values of about one, and point where the gradient does', async () => {
    const random = new Random(4);
    for (const dims of [shape, [18, 4, 1, 1]]) {
      const kernel = new Float32Array(72);
      random.fillNormal(kernel);
      const k = input('k', dims);
      const session = await Session.load(toModel({ outputs: { y: orthogonalised(k) } }));
      const y = floats((await session.run({ k: tensor(kernel, dims) })).y!);
      const tall = dims[0]! > dims[1]! * dims[2]! * dims[3]!;
      const columns = y.length / dims[0]!;
      const { values } = singularValues({ rows: dims[0]!, columns, data: y });
      // A tall one is longer, so that every filter moves about as far.
      const unit = tall ? Math.sqrt(dims[0]! / columns) : 1;
      expect(Math.min(...values) / unit).toBeGreaterThan(0.6);
      expect(Math.max(...values) / unit).toBeLessThan(1.3);
      expect(kernel.reduce((sum, value, i) => sum + value * y[i]!, 0)).toBeGreaterThan(0);
    }
  });

  it('are taken by kernels alone: momentum, decay and rate as in their formula', async () => {
    const k = input('k', shape);
    const b = input('b', [filters]);
    const start = new Float32Array(filters * inputs).fill(0.5);
    const weights = new Map([
      ['k', start],
      ['b', new Float32Array(filters)],
    ]);
    const slope = new Float32Array(filters * inputs);
    new Random(5).fillNormal(slope, 0.01);
    const trainer = await Trainer.create({
      loss: add(reduceSum(mul(k, input('slope', shape))), reduceSum(mul(b, 0.01))),
      learn: new Map([
        ['k', k],
        ['b', b],
      ]),
      weights,
      threads: 1,
      adam: { kernels: { rate: 2, momentum: 0.5, weightDecay: 0.1 } },
    });
    await trainer.step({ slope: tensor(slope, shape) }, 0.01);
    trainer.store();
    const moved = weights.get('k')!.map((value, i) => (start[i]! - value) / 0.02 - 0.1 * start[i]!);
    const { values } = singularValues({ rows: filters, columns: inputs, data: moved });
    for (const value of values) expect(Math.abs(value - 0.95)).toBeLessThan(0.35);
    expect(weights.get('b')![0]).toBeCloseTo(-0.01, 5);
    expect([...trainer.state().moments.keys()].sort()).toEqual(['m:b', 'm:k', 'v:b']);
    expect(trainer.state().moments.get('m:k')![7]).toBeCloseTo(slope[7]!, 5);
    await trainer.release();
  });
});

describe('initial weights', () => {
  it('are arrays of their own: what changes them leaves the measurement matrix alone', () => {
    const matrix = Float32Array.from(smallMatrix.data);
    const weights = initialWeights(smallLista(), new Random(1).normal);
    for (const data of weights.values()) data.fill(7);
    expect(smallMatrix.data).toEqual(matrix);
  });
});

describe('a run', () => {
  it('learns: the loss falls, and equal seeds give equal weights', async () => {
    const losses: number[] = [];
    const first = await trainSmall(config, {
      ...quiet(await folder()),
      onProgress: ({ loss }) => losses.push(loss),
    });
    const second = await trainSmall(config, quiet(await folder()));
    // One batch is harder than another: means over ten steps.
    const mean = (from: number): number =>
      losses.slice(from, from + 10).reduce((sum, loss) => sum + loss / 10, 0);
    expect(mean(20)).toBeLessThan(mean(0));
    expect(second.lowered.contents).toEqual(first.lowered.contents);
    const other = await trainSmall({ ...config, seed: 2 }, quiet(await folder()));
    expect(other.lowered.contents).not.toEqual(first.lowered.contents);
  });

  it('goes on exactly where it was interrupted, in either stage', async () => {
    const whole = await trainSmall(config, quiet(await folder()));
    for (const after of [11, 34]) {
      const path = await folder();
      let steps = 0;
      await expect(
        trainSmall(config, {
          ...quiet(path),
          interrupted: () => ++steps === after,
        }),
      ).rejects.toThrow(Interrupted);
      const resumed = await trainSmall(config, { ...quiet(path), resume: true });
      expect(resumed.lowered.contents).toEqual(whole.lowered.contents);
      expect(steady(resumed.provenance)).toEqual(steady(whole.provenance));
    }
  });

  it('does not end a stage twice', async () => {
    const path = await folder();
    const w = input('w', [2]);
    let finished = 0;
    const run = (resume: boolean): Promise<Readonly<Record<string, StageReport>>> =>
      runStages(
        [
          {
            name: 'only',
            loss: reduceSum(square(w)),
            learn: new Map([['w', w]]),
            rate: () => 0.1,
            steps: 3,
            timeShare: 1,
            fillsTime: false,
            batch: () => ({}),
            finish: (weights) => {
              finished++;
              weights.get('w')!.fill(finished);
              return Promise.resolve();
            },
          },
        ],
        {
          ...quiet(path),
          resume,
          weights: new Map([['w', new Float32Array(2).fill(9)]]),
          source: { state: () => null, restore: () => undefined },
          config: {},
        },
      );
    const spent = await run(false);
    expect(await run(true)).toEqual(spent);
    expect(finished).toBe(1);
    expect((await readCheckpoint(checkpointFile(path))).tensors.get('w')).toEqual(
      new Float32Array([1, 1]),
    );
  });

  it('refuses a checkpoint of another configuration, and a file that is none', async () => {
    const path = await folder();
    await trainSmall(config, quiet(path));
    await expect(
      trainSmall({ ...config, seed: 9 }, { ...quiet(path), resume: true }),
    ).rejects.toThrow(/another configuration/);
    await expect(readCheckpoint(new URL(import.meta.url).pathname)).rejects.toThrow(
      /not a checkpoint/,
    );
    const { meta } = await readCheckpoint(checkpointFile(path));
    expect(meta).toMatchObject({ stage: 'stage-2' });
  });

  it('leaves out stages without steps; the third moves layers and policy alike', async () => {
    const skip = {
      ...config,
      stageOne: { ...config.stageOne, steps: 0 },
      stageTwo: { ...config.stageTwo, steps: 0 },
    };
    const weights = async (given: RecoveryConfig): Promise<ReadonlyMap<string, Float32Array>> =>
      decodeTensors(
        Buffer.from(
          (await trainSmall(given, quiet(await folder()))).lowered.contents.get(WEIGHTS)!,
        ),
      ).tensors;
    const before = await weights(skip);
    const after = await weights({ ...skip, stageThree: { steps: 2, rate: 1e-2 } });
    for (const name of ['w-1', 'threshold-2', 'policy-1-w1', 'policy-2-b1'])
      expect(after.get(name), name).not.toEqual(before.get(name));
    expect(after.get('matrix')).toEqual(before.get('matrix'));
  });

  it('starts from given weights, and refuses those of another model', async () => {
    const from = new Map([['w-1', new Float32Array(12 * 24).fill(0.25)]]);
    const none = {
      ...config,
      stageOne: { ...config.stageOne, steps: 0 },
      stageTwo: { ...config.stageTwo, steps: 0 },
    };
    const { lowered } = await trainSmall(none, { ...quiet(await folder()), from });
    expect(
      Buffer.from(lowered.contents.get(WEIGHTS)!).includes(Buffer.from(from.get('w-1')!.buffer)),
    ).toBe(true);
    await expect(
      trainSmall(none, {
        ...quiet(await folder()),
        from: new Map([['w-1', new Float32Array(3)]]),
      }),
    ).rejects.toThrow(/w-1 with 3 values/);
  });
});
