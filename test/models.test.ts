/** The committed bundles: what they promise, and what a first user sees of them. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadBundles, type Bundle } from '../src/bundle/read.ts';
import { readNpy } from '../src/codecs/npy.ts';
import { addNoise } from '../src/data/images.ts';
import { Random } from '../src/data/random.ts';
import type { Engine } from '../src/engine/engine.ts';
import type { Array32 } from '../src/engine/types.ts';
import { nmse, psnr } from '../src/evaluation/metrics.ts';
import { startEngine } from '../src/evaluation/measure.ts';
import type { FormPart, TaskRequest } from '../src/tasks/task.ts';
import { cutTiles, defaultTiles, layTiles } from '../src/tasks/denoise/tiles.ts';
import { joined } from './support/joined.ts';

let bundles: Bundle[];
let engine: Engine;
beforeAll(async () => {
  const loaded = await loadBundles('models');
  expect(loaded.refused).toEqual([]);
  bundles = loaded.bundles;
  engine = await startEngine('models');
});
afterAll(() => engine.close());

const perform = (request: Omit<TaskRequest, 'options'>) =>
  engine.perform(() => ({ request: { options: {}, ...request }, transfer: [] }));

describe('the committed bundles', () => {
  it('are the defaults of their tasks, one for each', () => {
    const defaults = bundles
      .filter(({ manifest }) => manifest.default)
      .map(({ manifest }) => manifest.name);
    expect(defaults.sort()).toEqual([
      'denoise-color-traffic',
      'denoise-gray-traffic',
      'few-shot-omniglot',
      'recognize-cifar100',
      'sparse-recovery',
    ]);
  });

  it('say how good and how fast they are, at every exit and at the calibrated threshold, and how they were made', () => {
    for (const { manifest } of bundles) {
      expect(manifest.threshold, manifest.name).toBeGreaterThan(0);
      expect(manifest.measured!.exits.map(({ depth }) => depth)).toEqual(manifest.exits);
      expect(manifest.measured!.threshold.length).toBeGreaterThan(0);
      expect(manifest.training).toMatchObject({ seed: expect.any(Number) });
      expect(manifest.training.config).toBeDefined();
    }
  });

  it('spend at most a tenth of their layers’ FLOPs on policies and read-outs, up to any exit', () => {
    for (const { manifest } of bundles.filter(({ manifest: { baseline } }) => !baseline)) {
      let [layers, policies] = [0, 0];
      manifest.flops.segments.forEach((flops, i) => {
        layers += flops;
        policies += manifest.flops.policies[i]!;
        expect(
          (policies + manifest.flops.heads[i]!) / layers,
          `${manifest.name} at exit ${manifest.exits[i]}`,
        ).toBeLessThanOrEqual(0.1);
      });
    }
  });

  it('stay below 20 MB each', () => {
    for (const { manifest } of bundles) {
      expect(
        Object.values(manifest.files).reduce((sum, { bytes }) => sum + bytes, 0),
        manifest.name,
      ).toBeLessThan(20e6);
    }
  });

  it('recover the sample signal from its measurements', async () => {
    const truth = Float32Array.from(readNpy(await readFile('docs/samples/signal.npy')).data);
    const { answer, summary } = await perform({
      task: 'sparse-recovery',
      contentType: 'application/json',
      body: await readFile('docs/samples/measurements.json'),
      stopping: {},
    });
    expect(summary.model).toBe('sparse-recovery');
    const { signals } = JSON.parse(Buffer.from(answer.body).toString()) as { signals: number[][] };
    expect(nmse.total([nmse.sample(Float32Array.from(signals[0]!), truth)])).toBeLessThan(-28);
  });

  it('tell the sample characters apart, from two drawings of each', async () => {
    const file = (name: string) => readFile(`docs/samples/characters/${name}.png`);
    const parts: FormPart[] = [];
    for (const label of ['anchor', 'gate', 'kite', 'spiral']) {
      parts.push({ field: 'label', text: label });
      for (const i of [1, 2]) parts.push({ field: 'support', file: await file(`${label}-${i}`) });
    }
    for (const i of [1, 2, 3, 4]) parts.push({ field: 'query', file: await file(`query-${i}`) });
    const request = {
      task: 'few-shot',
      contentType: 'multipart/form-data',
      body: new Uint8Array(),
      stopping: {},
    };
    const { answer, summary } = await perform({ ...request, parts });
    expect(summary.model).toBe('few-shot-omniglot');
    const { predictions } = JSON.parse(Buffer.from(answer.body).toString()) as {
      predictions: { label: string }[];
    };
    expect(predictions.map(({ label }) => label)).toEqual(['gate', 'anchor', 'kite', 'spiral']);
  });

  it('take most of the noise out of the sample picture', async () => {
    const planes = async (bytes: Uint8Array): Promise<Float32Array> =>
      Float32Array.from(await sharp(bytes).removeAlpha().raw().toBuffer(), (value) => value / 255);
    const clean = await planes(await readFile('docs/samples/clean.jpg'));
    const noisy = await readFile('docs/samples/noisy.png');
    const { answer, summary } = await perform({
      task: 'denoise',
      contentType: 'image/png',
      body: noisy,
      stopping: {},
    });
    expect(summary.model).toBe('denoise-color-traffic');
    const quality = async (bytes: Uint8Array): Promise<number> =>
      psnr.total([psnr.sample(await planes(bytes), clean)]);
    expect(await quality(answer.body)).toBeGreaterThan((await quality(noisy)) + 7);
  });
});

describe('tiles through the committed network', () => {
  const [width, height, sigma] = [1500, 500, 45];
  const gradient = Float32Array.from(
    { length: width * height },
    (_, i) => 0.2 + (0.6 * (i % width)) / width,
  );
  const noisy = new Float32Array(gradient.length);
  addNoise(gradient, noisy, sigma, false, new Random(8));
  const image = { channels: 1 as const, width, height, data: noisy };
  const tiles = layTiles(width, height, { ...defaultTiles, multiple: 2 });
  const borders = tiles.slice(1).map(({ x }) => x.start);

  const denoised = async (
    data: Float32Array,
    dims: readonly number[],
    depth: number,
  ): Promise<Array32> => {
    const { samples } = await engine.run('denoise-gray', [{ image: { data, dims } }], {
      rule: 'fixed',
      depth,
    });
    return samples[0]!.outputs.denoised!;
  };
  const tiled = async (depths: readonly number[]): Promise<Float32Array> => {
    const parts: Array32[] = [];
    for (const [i, { data, dims }] of cutTiles(image, tiles, 2).entries()) {
      parts.push(await denoised(data, dims, depths[i % depths.length]!));
    }
    return joined(image, tiles, parts, defaultTiles.blend);
  };

  it('at one depth differ from the untiled result by at most 1/255 anywhere', async () => {
    expect(tiles.length).toBe(3);
    const whole = await denoised(noisy, [1, height, width], 12);
    const parts = await tiled([12]);
    expect(
      parts.reduce((most, value, i) => Math.max(most, Math.abs(value - whole.data[i]!)), 0),
    ).toBeLessThan(1 / 255);
  }, 60_000);

  it('at mixed depths show no step at a border beyond the noise of the estimate', async () => {
    const result = await tiled([4, 12]);
    // The mean error of each column, and at each place how far the eight columns to its right lie from the eight to its left.
    const errors = Array.from({ length: width }, (_, x) => {
      let sum = 0;
      for (let y = 0; y < height; y++) sum += result[y * width + x]! - gradient[y * width + x]!;
      return sum / height;
    });
    const mean = (from: number, to: number): number =>
      errors.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
    const step = (x: number): number => Math.abs(mean(x, x + 8) - mean(x - 8, x));
    const elsewhere = Array.from({ length: width - 100 }, (_, i) => i + 50).filter((x) =>
      borders.every((border) => Math.abs(x - border) > 40),
    );
    const noise = Math.sqrt(elsewhere.reduce((sum, x) => sum + step(x) ** 2, 0) / elsewhere.length);
    for (const border of borders)
      for (let x = border - 16; x <= border + 16; x++) expect(step(x)).toBeLessThan(4 * noise);
  });
});
