/** Training and evaluation of recovery and denoising. */
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundle } from '../../src/bundle/read.ts';
import { writeManifest } from '../../src/bundle/write.ts';
import { commandIn, prepareFolder } from './support.ts';

let place: string;
beforeAll(async () => {
  place = await prepareFolder();
});
const command = (...args: string[]) => commandIn(place, ...args);

describe('train and evaluate', () => {
  it('learn a model for a matrix of one’s own, measure it, go on from it, and evaluate it as JSON', async () => {
    const trained = await command(
      'train',
      'sparse-recovery',
      '--matrix',
      'A.npy',
      '--config',
      'quick.json',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    expect(trained.out).toMatch(/Ready: npm start serves it.*sparse-recovery-a/);
    const { manifest } = await loadBundle(join(place, 'models', 'sparse-recovery-a'));
    expect(manifest).toMatchObject({
      task: 'sparse-recovery',
      depth: 3,
      default: false,
      training: { seed: 1 },
    });
    expect(manifest.inputs[0]!.shape).toEqual(['N', 10]);
    expect(manifest.measured!.exits).toHaveLength(3);
    expect(manifest.threshold).toBeGreaterThan(0);

    await cp(join(place, 'models', 'sparse-recovery-a'), join(place, 'models', 'earlier'), {
      recursive: true,
    });
    await writeManifest(join(place, 'models', 'earlier'), {
      ...manifest,
      name: 'earlier',
      default: true,
    });
    const again = await command(
      'train',
      'sparse-recovery',
      '--matrix',
      'A.npy',
      '--config',
      'quick.json',
      '--from',
      'sparse-recovery-a',
      '--name',
      'tuned',
      '--default',
    );
    expect(again).toMatchObject({ code: 0 });
    expect(again.out).toContain('earlier is the default no longer.');
    expect((await loadBundle(join(place, 'models', 'earlier'))).manifest.default).toBe(false);
    await rm(join(place, 'models', 'earlier'), { recursive: true });
    const { manifest: tuned } = await loadBundle(join(place, 'models', 'tuned'));
    expect(tuned.default).toBe(true);
    expect(tuned.training.from).toEqual({ name: 'sparse-recovery-a', ...manifest.training });

    const evaluated = await command(
      'evaluate',
      'sparse-recovery',
      '--model',
      'tuned',
      '--count',
      '5',
      '--json',
    );
    expect(evaluated.code).toBe(0);
    const { model, task, rows } = JSON.parse(evaluated.out) as {
      model: string;
      task: string;
      rows: Record<string, unknown>[];
    };
    expect({ model, task }).toEqual({ model: 'tuned', task: 'sparse-recovery' });
    expect(rows.map(({ condition }) => condition)).toEqual([
      { snr_db: 20 },
      { snr_db: 30 },
      { snr_db: 40 },
      { snr_db: 'mixed' },
    ]);
    for (const row of rows) {
      expect(row).toMatchObject({ metric: 'nmse_db', max_depth: 3 });
      for (const key of [
        'quality',
        'full_depth_quality',
        'mean_depth',
        'ms_per_sample',
        'full_depth_ms_per_sample',
        'n',
      ]) {
        expect(Number.isFinite(row[key]), key).toBe(true);
      }
    }
  }, 60_000);

  it('learn from signals of one’s own, with a tenth held out to measure on', async () => {
    const of = ['sparse-recovery', '--data', 'signals.npy'];
    const trained = await command(
      'train',
      ...of,
      '--matrix',
      'A.npy',
      '--config',
      'quick.json',
      '--name',
      'own',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    const { manifest } = await loadBundle(join(place, 'models', 'own'));
    expect(manifest).toMatchObject({
      training: { data: '27 signals' },
      outputs: [{ shape: ['N', 20] }],
    });
    expect(manifest.measured!.data).toMatch(/^3 signals, held out of signals\.npy/);
    const evaluated = await command(
      'evaluate',
      ...of,
      '--model',
      'own',
      '--snr',
      '30',
      '--count',
      '4',
      '--json',
    );
    expect(JSON.parse(evaluated.out)).toMatchObject({
      rows: [{ condition: { snr_db: 30 }, metric: 'nmse_db', n: 4 }],
    });
  }, 60_000);

  it('learn from a folder of images, with one held out to measure on', async () => {
    const trained = await command(
      'train',
      'denoise',
      '--data',
      'images',
      '--config',
      'quick-denoise.json',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    const { manifest } = await loadBundle(join(place, 'models', 'denoise-color-images'));
    expect(manifest.training).toMatchObject({ data: '2 images' });
    expect(manifest.measured!.data).toMatch(/^1 images, held out of images/);
    const evaluated = await command(
      'evaluate',
      'denoise',
      '--data',
      'images',
      '--sigma',
      '25,50',
      '--record',
      '--json',
    );
    const { rows } = JSON.parse(evaluated.out) as {
      rows: { condition: object; metric: string; n: number }[];
    };
    expect(rows.map(({ condition, metric, n }) => ({ condition, metric, n }))).toEqual([
      { condition: { sigma: 25 }, metric: 'psnr_db', n: 3 },
      { condition: { sigma: 50 }, metric: 'psnr_db', n: 3 },
    ]);
    const recorded = JSON.parse(
      await readFile(join(place, 'models', 'denoise-color-images', 'manifest.json'), 'utf8'),
    ) as typeof manifest;
    expect(recorded.measured!.threshold).toEqual(rows);
  }, 60_000);
});
