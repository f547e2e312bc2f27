/** Training with the untouched image as an exit: noise level and policy, and the bundle that results. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SCHEMA_VERSION } from '../../../src/bundle/manifest.ts';
import { writeBundle } from '../../../src/bundle/write.ts';
import { Random } from '../../../src/data/random.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { denoiseDefaults } from '../../../src/tasks/denoise/config.ts';
import { denoise } from '../../../src/tasks/learning.ts';
import { train } from '../../../src/training/train.ts';
import { madeUpPhoto } from './images.ts';

it('learns the noise level, and to leave clean images as they are', async () => {
  const images = Array.from({ length: 6 }, (_, k) => madeUpPhoto(k, 1, 96, 96));
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-train-'));
  const { half } = denoiseDefaults;
  const config = {
    ...half,
    channels: 1 as const,
    features: 8,
    depth: 2,
    exits: [0, 1, 2],
    hidden: 8,
    patch: 32,
    stageOne: { ...half.stageOne, steps: 40 },
    samples: { count: 150, side: 48, batch: 64 },
    stageTwo: { ...half.stageTwo, steps: 400, rate: 1e-2 },
  };
  const { lowered, provenance } = await train(denoise, config, images, {
    threads: 1,
    folder: join(folder, 'checkpoint'),
    resume: false,
    checkpointSeconds: 1e9,
    onProgress: () => undefined,
  });
  expect(Object.keys(provenance.stages as object)).toEqual(['stage-1', 'noise-level', 'stage-2']);
  const { contents, ...parts } = lowered;
  expect(parts).toMatchObject({ exits: [0, 1, 2], statistic: 'noise_level' });
  await writeBundle(
    join(folder, 'quiet'),
    {
      schema_version: SCHEMA_VERSION,
      name: 'quiet',
      version: '1',
      task: 'denoise',
      default: false,
      ...parts,
      training: {},
      task_files: [],
    },
    contents,
  );
  const engine = await startEngine(folder, ['quiet']);
  const clean = madeUpPhoto(9, 1, 96, 96);
  const at = async (sigma: number) => {
    const data = new Float32Array(clean.data.length);
    new Random(5).fillNormal(data, sigma / 255);
    clean.data.forEach((value, i) => (data[i]! += value));
    const image = { data, dims: [1, 96, 96] };
    const rule = { rule: 'threshold', threshold: 0.5 } as const;
    const { samples } = await engine.run('quiet', [{ image }], rule);
    return { ...samples[0]!, data };
  };
  try {
    const untouched = await at(0);
    expect(untouched).toMatchObject({ depth: 0, reason: 'policy' });
    expect(untouched.outputs.denoised!.data).toEqual(untouched.data);
    expect(untouched.statistic).toBeLessThan(2);
    const noisy = await at(25);
    expect(noisy.depth).toBeGreaterThan(0);
    expect(noisy.statistic).toBeGreaterThan(15);
    expect(noisy.statistic).toBeLessThan(40);
  } finally {
    await engine.close();
  }
}, 120_000);
