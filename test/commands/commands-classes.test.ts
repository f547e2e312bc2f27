/** Training and evaluation of the tasks that learn from class folders. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundle } from '../../src/bundle/read.ts';
import { commandIn, prepareFolder } from './support.ts';

let place: string;
beforeAll(async () => {
  place = await prepareFolder();
});
const command = (...args: string[]) => commandIn(place, ...args);

describe('few-shot', () => {
  it('learns to learn from a folder of class folders, with classes held out to measure on, and is evaluated on others', async () => {
    const of = ['few-shot', '--data', 'classes'];
    const trained = await command(
      'train',
      ...of,
      '--ways',
      '2',
      '--config',
      'quick-few-shot.json',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    const { manifest } = await loadBundle(join(place, 'models', 'few-shot-classes'));
    expect(manifest).toMatchObject({
      task: 'few-shot',
      depth: 2,
      limits: { K: 64 },
      training: { data: '9 images of 3 classes' },
    });
    expect(manifest.measured!.threshold[0]).toMatchObject({
      condition: { ways: 2, shots: 1 },
      metric: 'accuracy',
      n: 60,
    });
    const evaluated = await command(
      'evaluate',
      ...of,
      '--ways',
      '2,3',
      '--shots',
      '1-2,2',
      '--count',
      '3',
      '--queries',
      '1',
      '--json',
    );
    const { rows } = JSON.parse(evaluated.out) as {
      rows: { condition: object; half_width: number; n: number }[];
    };
    expect(rows.map(({ condition }) => condition)).toEqual([
      { ways: 2, shots: '1-2' },
      { ways: 2, shots: 2 },
      { ways: 3, shots: '1-2' },
      { ways: 3, shots: 2 },
    ]);
    for (const { half_width: halfWidth, n } of rows)
      expect({ n, finite: Number.isFinite(halfWidth) }).toEqual({ n: 3, finite: true });
  }, 60_000);
});

describe('few-shot of fixed steps', () => {
  it('learns a model of fixed steps beside the one that stops', async () => {
    const of = [
      'train',
      'few-shot',
      '--data',
      'characters',
      '--ways',
      '2',
      '--config',
      'quick-few-shot.json',
      '--threads',
      '1',
    ];
    expect(await command(...of)).toMatchObject({ code: 0 });
    const { manifest } = await loadBundle(join(place, 'models', 'few-shot-characters'));
    expect(manifest.training).toMatchObject({
      data: '28 images of 4 classes',
      stages: { 'stage-2': { steps: 2 } },
    });
    expect(
      await command(...of, '--form', 'fixed', '--name', 'few-shot-characters-fixed'),
    ).toMatchObject({ code: 0 });
    const { manifest: fixed } = await loadBundle(
      join(place, 'models', 'few-shot-characters-fixed'),
    );
    expect(fixed).toMatchObject({ exits: [2], baseline: true });
    const [row] = fixed.measured!.threshold;
    expect([row!.quality, row!.ms_per_sample]).toEqual([
      row!.full_depth_quality,
      row!.full_depth_ms_per_sample,
    ]);
  }, 180_000);
});

describe('recognition', () => {
  it('learns the classes of a folder and is evaluated by any rule', async () => {
    const of = ['recognize', '--data', 'classes'];
    const trained = await command(
      'train',
      ...of,
      '--config',
      'quick-recognize.json',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    const directory = join(place, 'models', 'recognize-classes');
    const { manifest } = await loadBundle(directory);
    expect(manifest).toMatchObject({
      task: 'recognize',
      depth: 2,
      policies: ['pi', 'confidence'],
      task_files: ['labels.json'],
      training: { data: '10 images of 5 classes' },
    });
    expect(manifest.thresholds!.confidence).toBeGreaterThan(0);
    expect(JSON.parse(await readFile(join(directory, 'labels.json'), 'utf8'))).toEqual(
      [0, 1, 2, 3, 4].map((k) => `class-${k}`),
    );
    expect(manifest.measured!.threshold[0]).toMatchObject({ metric: 'accuracy', n: 5 });
    const evaluated = await command(
      'evaluate',
      ...of,
      '--rule',
      'confidence',
      '--threshold',
      '1',
      '--count',
      '5',
      '--json',
    );
    expect(JSON.parse(evaluated.out)).toMatchObject({
      task: 'recognize',
      rows: [{ mean_depth: 2, max_depth: 2, n: 5 }],
    });
  }, 120_000);
});
