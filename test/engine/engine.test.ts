import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { Engine } from '../../src/engine/engine.ts';
import { Job } from '../../src/engine/worker/jobs.ts';
import type { LoadedModel } from '../../src/engine/worker/models.ts';
import type { Sample, RunResult } from '../../src/engine/types.ts';
import { toModel } from '../../src/graph/model.ts';
import { input, sigmoid } from '../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import type { StoppingParameters } from '../../src/stopping/parameters.ts';
import { stopTime } from '../../scripts/paper/distribution.ts';
import { columns } from '../../src/training/objective.ts';
import { unroll } from '../../src/training/unroll.ts';
import { expectClose } from '../graph/check.ts';
import { smallModels, startSmallEngine, writeModels, type SmallModel } from '../support/small.ts';

const random = new Random(11);
const draw = (length: number): Float32Array => Float32Array.from({ length }, random.normal);
const recovery = (): Sample => ({ measurements: { data: draw(12), dims: [12] } });
const image = (channels: number, h: number, w: number): Sample => ({
  image: { data: draw(channels * h * w).map((x) => 0.5 + 0.2 * x), dims: [channels, h, w] },
});
const sampleFor = (name: string, i = 0): Sample =>
  name === 'small-recovery'
    ? recovery()
    : image(name === 'small-gray' ? 1 : 3, 8 + 2 * (i % 2), 12);

/** Every exit's outputs and π, from the graph that training differentiates. */
async function unrolled(
  { family, weights }: SmallModel,
  sample: Sample,
): Promise<{ outputs: Float32Array[]; pi: Float32Array }> {
  const [name, array] = Object.entries(sample)[0]!;
  const dims = [1, ...array.dims];
  const { outputs, logits } = unroll(family, { [name]: input(name, dims) });
  const output = family.outputs[0]!;
  const named = Object.fromEntries(outputs.map((values, i) => [`exit-${i}`, values[output]!]));
  const model = toModel({
    outputs: { ...named, pi: sigmoid(columns(logits)) },
    weights: new Map([...weights].map(([key, data]) => [key, { data }])),
  });
  const session = await Session.load(model);
  const result = await session.run({ [name]: tensor(array.data, dims) });
  await session.release();
  return { outputs: outputs.map((_, i) => floats(result[`exit-${i}`]!)), pi: floats(result.pi!) };
}

const output = ({ samples }: RunResult, i = 0): Float32Array =>
  Object.values(samples[i]!.outputs)[0]!.data;

describe('the engine', () => {
  const models = smallModels();
  let engine: Engine;
  beforeAll(async () => {
    engine = await startSmallEngine({ modelsDir: await writeModels(models), workers: 2 });
  });
  afterAll(() => engine.close());

  it.each(models.map((model) => [model.name, model] as const))(
    '%s: segment by segment equals the unrolled graph at every exit',
    async (name, model) => {
      const sample = sampleFor(name);
      const expected = await unrolled(model, sample);
      for (const [i, depth] of model.family.exits.entries()) {
        const result = await engine.run(name, [sample], { rule: 'fixed', depth });
        expect(result.samples[0]).toMatchObject({ depth, reason: 'fixed' });
        expectClose(output(result), expected.outputs[i]!, 1e-4);
        expectClose(result.samples[0]!.pi, expected.pi.slice(0, i + 1), 1e-4);
      }
    },
  );

  it('stops at the first exit whose π passes the threshold, within min_depth and max_depth', async () => {
    for (let i = 0; i < 20; i++) {
      const sample = recovery();
      const full = await engine.run('small-recovery', [sample], { rule: 'fixed', depth: 5 });
      const { pi } = full.samples[0]!;
      for (const [minDepth, maxDepth] of [
        [1, 5],
        [3, 5],
        [1, 2],
        [2, 4],
      ] as const) {
        const result = await engine.run('small-recovery', [sample], {
          threshold: 0.5,
          minDepth,
          maxDepth,
        });
        const first = pi.findIndex((p, t) => p > 0.5 && t + 1 >= minDepth && t + 1 <= maxDepth) + 1;
        expect(result.samples[0]).toMatchObject(
          first > 0 ? { depth: first, reason: 'policy' } : { depth: maxDepth, reason: 'max_depth' },
        );
      }
    }
  });

  it('samples depths with exactly the frequency q(t), and the same depths for the same seed', async () => {
    const sample = recovery();
    const { samples } = await engine.run('small-recovery', [sample], { rule: 'fixed', depth: 5 });
    const q = stopTime(samples[0]!.pi);
    const count = 4000;
    const many = await engine.run(
      'small-recovery',
      Array.from({ length: count }, () => sample),
      { rule: 'sample', seed: 123 },
    );
    expect(many.seed).toBe(123);
    const observed = q.map((_, t) => many.samples.filter(({ depth }) => depth === t + 1).length);
    const chi2 = q.reduce(
      (sum, p, t) => sum + (observed[t]! - count * p) ** 2 / Math.max(count * p, 1e-9),
      0,
    );
    // The 99.9 % point of χ² with four degrees of freedom.
    expect(
      chi2,
      `observed ${observed.join(', ')} for ${q.map((p) => Math.round(p * count)).join(', ')}`,
    ).toBeLessThan(18.47);
    const again = await engine.run('small-recovery', [sample, sample, sample, sample], {
      rule: 'sample',
      seed: 123,
    });
    expect(again.samples.map(({ depth }) => depth)).toEqual(
      many.samples.slice(0, 4).map(({ depth }) => depth),
    );
    const drawn = await engine.run('small-recovery', [sample], { rule: 'sample' });
    expect(drawn.seed).toBeGreaterThanOrEqual(0);
  });

  it('answers a sample the same whatever else is in the batch', async () => {
    const samples = Array.from({ length: 33 }, recovery);
    const together = await engine.run('small-recovery', samples);
    const crowd = Array.from({ length: 40 }, () => engine.run('small-recovery', [recovery()]));
    for (const [i, sample] of samples.entries()) {
      const alone = await engine.run('small-recovery', [sample]);
      const { depth, pi } = together.samples[i]!;
      if (alone.samples[0]!.depth !== depth)
        expect(Math.min(...pi.map((p) => Math.abs(p - 0.5)))).toBeLessThan(1e-3);
      else expectClose(output(together, i), output(alone), 1e-4);
    }
    await Promise.all(crowd);
  });

  it('runs images of several sizes and both models at once', async () => {
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        engine.run(i % 3 === 0 ? 'small-color' : 'small-gray', [
          sampleFor(i % 3 === 0 ? 'small-color' : 'small-gray', i),
        ]),
      ),
    );
    results.forEach(({ samples }, i) =>
      expect(Object.values(samples[0]!.outputs)[0]!.dims).toEqual([
        i % 3 === 0 ? 3 : 1,
        8 + 2 * (i % 2),
        12,
      ]),
    );
  });

  it('leaves at a deadline with the best state so far, and always runs the first exit', async () => {
    const late = await engine.run('small-recovery', [recovery()], { threshold: 1, deadlineMs: 0 });
    expect(late.samples[0]).toMatchObject({ depth: 1, reason: 'deadline' });
    expect(late.samples[0]!.pi).toHaveLength(1);
    const relaxed = await engine.run('small-recovery', [recovery()], {
      threshold: 1,
      deadlineMs: 60_000,
    });
    expect(relaxed.samples[0]).toMatchObject({ depth: 5, reason: 'max_depth' });
    const gray = await engine.run('small-gray', [sampleFor('small-gray')], {
      threshold: 1,
      deadlineMs: 0,
    });
    expect(gray.samples[0]).toMatchObject({ depth: 2, reason: 'deadline' });
  });

  it('knows how long the first segments take that a request still owes', () => {
    const manifest = engine.manifests.get('small-gray')!;
    const model = {
      manifest,
      firstExit: 0,
      segments: [{ msPerElement: 0.5 }, { msPerElement: 2 }],
    } as unknown as LoadedModel;
    const job = new Job(
      1,
      model,
      [image(1, 8, 12), image(1, 10, 12), image(1, 8, 12)],
      { deadlineMs: 100 },
      0,
    );
    expect(job.owedMs).toBeCloseTo(0.5 * (96 + 120 + 96));
    job.items[1]!.next = 1;
    expect(job.owedMs).toBeCloseTo(0.5 * (96 + 96));
  });

  it.each([
    [{ rule: 'fixed', depth: 9 }, /exits 1, 2, 3, 4, 5|exits are 1, 2, 3, 4, 5/],
    [{ rule: 'fixed' }, /requires depth/],
    [{ rule: 'sample', threshold: 0.5 }, /threshold requires rule=threshold/],
    [{ seed: 1 }, /seed requires rule=sample/],
    [{ minDepth: 6 }, /beyond the model's depth 5/],
    [{ minDepth: 3, maxDepth: 2 }, /No exit lies between/],
  ] as const)('refuses %j', async (stopping, sentence) => {
    await expect(engine.run('small-recovery', [recovery()], stopping)).rejects.toMatchObject({
      code: 'bad-parameter',
      message: expect.stringMatching(sentence),
    });
  });

  it('names the models there are when asked for another', async () => {
    await expect(engine.run('nobody', [recovery()])).rejects.toMatchObject({
      code: 'unknown-model',
      message: expect.stringContaining('small-gray'),
    });
  });
});

describe('bounds', () => {
  it('takes no more samples than it may hold, a larger request when idle, and drains', async () => {
    const engine = await startSmallEngine({ maxPending: 64 });
    const many = (): Sample[] => Array.from({ length: 200 }, recovery);
    const large = engine.run('small-recovery', many());
    await expect(engine.run('small-recovery', many())).rejects.toMatchObject({
      code: 'overloaded',
      status: 429,
    });
    // One large request shuts no small one out.
    expect((await engine.run('small-recovery', [recovery()])).samples).toHaveLength(1);
    expect((await large).samples).toHaveLength(200);
    expect(engine.pending).toBe(0);
    const last = engine.run('small-recovery', [recovery()]);
    const drained = engine.drain();
    await expect(engine.run('small-recovery', [recovery()])).rejects.toMatchObject({
      code: 'draining',
    });
    expect((await last).samples).toHaveLength(1);
    await drained;
    await engine.close();
  });

  it('lowers the depth under load before it refuses, also a fixed one and a least one', async () => {
    const engine = await startSmallEngine({ maxPending: 100 });
    const one = image(1, 64, 64);
    const large = await engine.run(
      'small-gray',
      Array.from({ length: 80 }, () => one),
      { threshold: 1 },
    );
    expect(large.samples.every(({ reason }) => reason === 'max_depth')).toBe(true);
    const kinds: StoppingParameters[] = [
      { threshold: 1 },
      { rule: 'fixed', depth: 4 },
      { threshold: 0, minDepth: 4 },
    ];
    const all = await Promise.all(
      Array.from({ length: 70 }, (_, i) => engine.run('small-gray', [one], kinds[i % 3])),
    );
    for (const kind of kinds.keys())
      expect(
        all.some(
          ({ samples: [sample] }, i) =>
            i % 3 === kind && sample!.reason === 'load' && sample!.depth < 4,
        ),
      ).toBe(true);
    await engine.close();
  });

  it('frees the work of a client that left', async () => {
    const engine = await startSmallEngine();
    const controller = new AbortController();
    const gone = engine.run(
      'small-gray',
      Array.from({ length: 400 }, () => image(1, 128, 128)),
      { threshold: 1 },
      { signal: controller.signal },
    );
    const start = performance.now();
    setTimeout(() => controller.abort(), 30);
    await expect(gone).rejects.toMatchObject({ code: 'client-closed-request' });
    expect(engine.pending).toBe(0);
    await engine.run('small-recovery', [recovery()]);
    expect(performance.now() - start).toBeLessThan(1500);
    await engine.close();
  });
});
