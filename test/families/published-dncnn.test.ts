import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { definePublishedDncnn } from '../../src/families/published-dncnn.ts';
import { toModel } from '../../src/graph/model.ts';
import { input } from '../../src/graph/operators.ts';
import type { Value } from '../../src/graph/value.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { denoiseDefaults } from '../../src/tasks/denoise/config.ts';
import { WEIGHTS } from '../../src/training/export.ts';
import { denoise } from '../../src/tasks/learning.ts';
import { train } from '../../src/training/train.ts';
import { decodeTensors } from '../../src/training/safetensors.ts';
import { foldStatistics } from '../../src/training/statistics.ts';
import { unroll } from '../../src/training/unroll.ts';
import { initialWeights, toConstants } from '../../src/training/weights.ts';

const config = { channels: 1, features: 6, depth: 4, hidden: 3 };

describe('DnCNN as published', () => {
  it('gives the same answers once the batch statistics are folded into kernels and biases', async () => {
    const published = definePublishedDncnn(config);
    const { family, training } = published;
    const random = new Random(11);
    const weights = initialWeights(family, random.normal);
    for (const [name, data] of weights)
      if (/scale|shift|bias/.test(name)) random.fillNormal(data, 0.7);
    const image = input('image', [3, 1, 8, 10]);
    const pixels = new Float32Array(3 * 80);
    random.fillNormal(pixels);
    const feeds = { image: tensor(pixels, [3, 1, 8, 10]) };
    const run = async (outputs: Record<string, Value>): Promise<Record<string, Float32Array>> => {
      const known = toConstants(weights);
      const session = await Session.load(toModel({ outputs, weights: known }));
      const found = await session.run(feeds);
      await session.release();
      return Object.fromEntries(
        Object.entries(found).map(([name, value]) => [name, Float32Array.from(floats(value))]),
      );
    };
    const named = (outputs: readonly Record<string, Value>[]): Record<string, Value> =>
      Object.fromEntries(outputs.map(({ denoised }, i) => [`exit-${i + 1}`, denoised!]));

    const learnt = await run(named(unroll(training, { image }).outputs));
    await foldStatistics(published, { image }, weights, { next: () => feeds });
    const folded = await run(named(unroll(family, { image }).outputs));
    for (let t = 1; t <= 4; t++) {
      const difference = learnt[`exit-${t}`]!.map((value, i) =>
        Math.abs(value - folded[`exit-${t}`]![i]!),
      );
      expect(Math.max(...difference)).toBeLessThan(1e-4);
    }
  });

  it('learns and exports, every layer an exit', async () => {
    const random = new Random(2);
    const images = [0, 1].map(() => ({
      channels: 1 as const,
      width: 24,
      height: 24,
      data: Float32Array.from({ length: 576 }, () => random.uniform()),
    }));
    const folder = await mkdtemp(join(tmpdir(), 'stopwise-train-'));
    const recipe = {
      ...denoiseDefaults.published,
      ...config,
      channels: 1 as const,
      patch: 16,
      batch: 2,
      stageOne: { steps: 3, rate: 1e-3, beta: 1 },
      stageTwo: { ...denoiseDefaults.published.stageTwo, steps: 2 },
    };
    const options = {
      threads: 1,
      folder,
      resume: false,
      checkpointSeconds: 1e9,
      onProgress: () => undefined,
    };
    const { lowered } = await train(denoise, recipe, images, options);
    expect(lowered.exits).toEqual([1, 2, 3, 4]);
    expect(lowered.inputs[0]!.shape).toEqual(['N', 1, 'h', 'w']);
    // Statistics were folded: a bias that started at zero is not zero any more.
    const { tensors } = decodeTensors(Buffer.from(lowered.contents.get(WEIGHTS)!));
    for (const t of [2, 3, 4])
      expect(tensors.get(`bias-${t}`)!.some((value) => value !== 0)).toBe(true);
  });
});
