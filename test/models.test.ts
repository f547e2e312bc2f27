/** The committed bundles: what they promise, and what a first user sees of them. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadBundles, type Bundle } from '../src/bundle/read.ts';
import { readNpy } from '../src/codecs/npy.ts';
import type { Engine } from '../src/engine/engine.ts';
import { nmse, psnr } from '../src/evaluation/quality.ts';
import { startEngine } from '../src/evaluation/measure.ts';

let bundles: Bundle[];
let engine: Engine;
beforeAll(async () => {
  const loaded = await loadBundles('models');
  expect(loaded.refused).toEqual([]);
  bundles = loaded.bundles;
  engine = await startEngine('models');
});
afterAll(() => engine.close());

describe('the committed bundles', () => {
  it('are the defaults of their tasks, one for each', () => {
    const defaults = bundles.filter(({ manifest }) => manifest.default).map(({ manifest }) => manifest.name);
    expect(defaults.sort()).toEqual(['denoise-color', 'denoise-gray', 'sparse-recovery']);
  });

  it('say how good and how fast they are, at every exit and at the calibrated threshold, and how they were made', () => {
    for (const { manifest } of bundles) {
      expect(manifest.threshold, manifest.name).toBeGreaterThan(0);
      expect(manifest.measured!.exits.map(({ depth }) => depth)).toEqual(manifest.exits);
      expect(manifest.measured!.threshold.length).toBeGreaterThan(0);
      expect(manifest.training).toMatchObject({ seed: 1 });
      expect(manifest.training.config).toBeDefined();
    }
  });

  it('spend at most a tenth of their layers’ FLOPs on policies and read-outs, up to any exit', () => {
    for (const { manifest } of bundles.filter(({ manifest: { baseline } }) => !baseline)) {
      let [layers, policies] = [0, 0];
      manifest.flops.segments.forEach((flops, i) => {
        layers += flops;
        policies += manifest.flops.policies[i]!;
        expect((policies + manifest.flops.heads[i]!) / layers, `${manifest.name} at exit ${manifest.exits[i]}`).toBeLessThanOrEqual(0.1);
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
    const { answer, summary } = await engine.perform({
      task: 'recover',
      contentType: 'application/json',
      body: await readFile('docs/samples/measurements.json'),
      stopping: {},
    });
    expect(summary.model).toBe('sparse-recovery');
    const { signals } = JSON.parse(Buffer.from(answer.body).toString()) as { signals: number[][] };
    expect(nmse.total([nmse.sample(Float32Array.from(signals[0]!), truth)])).toBeLessThan(-28);
  });

  it('take most of the noise out of the sample picture', async () => {
    const planes = async (bytes: Uint8Array): Promise<Float32Array> =>
      Float32Array.from(await sharp(bytes).removeAlpha().raw().toBuffer(), (value) => value / 255);
    const clean = await planes(await readFile('docs/samples/clean.jpg'));
    const noisy = await readFile('docs/samples/noisy.png');
    const { answer, summary } = await engine.perform({ task: 'denoise', contentType: 'image/png', body: noisy, stopping: {} });
    expect(summary.model).toBe('denoise-color');
    const quality = async (bytes: Uint8Array): Promise<number> => psnr.total([psnr.sample(await planes(bytes), clean)]);
    expect(await quality(answer.body)).toBeGreaterThan((await quality(noisy)) + 7);
  });
});
