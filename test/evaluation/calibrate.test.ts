import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { calibrate, cheapestThreshold } from '../../src/evaluation/calibrate.ts';
import type { TestData } from '../../src/evaluation/data.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { measure } from '../../src/evaluation/measure.ts';
import { psnr } from '../../src/evaluation/metrics.ts';
import type { Judged } from '../../src/evaluation/trace.ts';
import { denoiseConditions } from '../../src/tasks/denoise/test-data.ts';
import { startSmallEngine, writeModels } from '../support/small.ts';

/** A sample with the given π at the first of two exits, and its quality at both, dB. */
const sample = (pi: number, early: number, late: number): Judged => ({
  pi: [pi],
  parts: [
    [early, 1],
    [late, 1],
  ],
});

describe('the cheapest threshold', () => {
  const COSTS = [1, 4];
  const find = (conditions: Judged[][], tolerance: number): number =>
    cheapestThreshold(conditions, COSTS, psnr, tolerance);

  it('stops the samples that lose little, and no others', () => {
    const easy = sample(0.8, 29.95, 30);
    const hard = sample(0.3, 20, 30);
    const threshold = find([[easy, hard]], 0.1);
    expect(threshold).toBeGreaterThanOrEqual(0.3);
    expect(threshold).toBeLessThan(0.8);
  });

  it('bounds the mean loss over the conditions', () => {
    // Stopping loses 0.1 dB in the first condition and nothing in the second: 0.05 dB in the mean.
    const conditions = [[sample(0.6, 29.9, 30)], [sample(0.6, 30, 30)]];
    expect(find(conditions, 0.06)).toBeLessThan(0.6);
    expect(find(conditions, 0.04)).toBeGreaterThanOrEqual(0.6);
  });

  it('lets no condition lose more than twice the bound', () => {
    const conditions = [[sample(0.6, 29.7, 30)], [sample(0.6, 30, 30)], [sample(0.6, 30, 30)]];
    // 0.1 dB in the mean, but 0.3 dB in the first.
    expect(find(conditions, 0.12)).toBeGreaterThanOrEqual(0.6);
    expect(find(conditions, 0.16)).toBeLessThan(0.6);
  });
});

describe('calibration through the engine', () => {
  let engine: Engine;
  let models: string;
  beforeAll(async () => {
    models = await writeModels();
    engine = await startSmallEngine({ modelsDir: models });
  });
  afterAll(() => engine.close());

  const images = [0, 1, 2].map((k) => ({
    channels: 1 as const,
    width: 8,
    height: 8,
    data: Float32Array.from({ length: 64 }, (_, i) => 0.5 + 0.4 * Math.sin(i * (k + 1))),
  }));
  const test: TestData = {
    name: 'waves',
    conditions: (manifest, seed) => denoiseConditions(images, manifest, [15, 50], seed),
  };

  it('measures every exit, one case after another', async () => {
    const manifest = engine.manifests.get('small-gray')!;
    const conditions = test.conditions(manifest, 1);
    let samples = 0;
    const { exits } = await calibrate(engine, manifest, conditions, {
      metric: psnr,
      tolerance: 0.1,
      onSample: () => samples++,
    });
    expect(samples).toBe(6);
    expect(exits.map(({ depth }) => depth)).toEqual(manifest.exits);
    for (const { depth, quality, ms_per_sample: ms } of exits) {
      const rule = { rule: 'fixed', depth } as const;
      const rows = await evaluate(engine, manifest, conditions, psnr, rule);
      expect(quality).toBeCloseTo((rows[0]!.quality + rows[1]!.quality) / 2, 2);
      expect(ms).toBeGreaterThan(0);
    }
  });

  it('reports the progress of measuring up to the end', async () => {
    const manifest = engine.manifests.get('small-gray')!;
    const seen: number[] = [];
    const { measured } = await measure(manifest, models, test, {
      metric: psnr,
      calibrationLoss: 0.1,
      onProgress: (share) => seen.push(share),
    });
    expect(measured.threshold).toHaveLength(2);
    expect(seen.at(-1)).toBeCloseTo(1, 9);
    expect(seen).toHaveLength(12);
    expect(seen.every((share, i) => share > (seen[i - 1] ?? 0))).toBe(true);
  });
});
