import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/bundle/manifest.ts';
import { writeNpy } from '../../src/codecs/npy.ts';
import { checkTask, decodeRequest, tasks } from '../../src/tasks/by-name.ts';
import { byName, manifest, problem } from './fixtures.ts';

const noFile = () => Promise.reject(new Error('there is no file'));

describe('the tasks', () => {
  it('have names and routes of their own, and describe what they take and give', () => {
    for (const key of ['name', 'route'] as const)
      expect(new Set(tasks.map((task) => task[key])).size).toBe(tasks.length);
    for (const { takes, gives, form } of tasks) {
      expect(Object.keys(gives)).toContain('application/json');
      expect('multipart/form-data' in takes).toBe(form !== undefined);
    }
  });

  it('are found by name, with the settings handed on', async () => {
    const request = {
      contentType: 'image/png',
      body: new Uint8Array(8),
      stopping: {},
      options: {},
    };
    const context = { models: byName(), files: noFile, settings: { maxPixels: 8 } };
    const known = await problem(() => decodeRequest({ ...request, task: 'denoise' }, context));
    expect(known.code).toBe('bad-image');
    const unknown = await problem(() => decodeRequest({ ...request, task: 'sing' }, context));
    expect(unknown.code).toBe('not-found');
  });
});

describe('a bundle is checked by the task it names', () => {
  const gray = manifest('gray', 'denoise', ['N', 1, '2*h', '2*w']);
  const recovery: Manifest = {
    ...manifest('recovery', 'sparse-recovery', ['N', 3]),
    task_files: ['matrix.npy'],
  };
  const matrix = (rows: number, columns: number) => () =>
    Promise.resolve(writeNpy({ shape: [rows, columns], data: new Float32Array(rows * columns) }));

  it('and taken where it fits', async () => {
    await checkTask(gray, noFile);
    await checkTask(recovery, matrix(3, 3));
  });

  it.each<[string, Manifest, RegExp]>([
    ['relabelled', { ...recovery, task: 'denoise' }, /its inputs are measurements, not image/],
    ['relabelled', { ...gray, task: 'few-shot' }, /its inputs are image, not/],
    ['relabelled', { ...recovery, task: 'recognize' }, /its inputs are measurements, not image/],
    ['relabelled', { ...gray, task: 'sparse-recovery' }, /its inputs are image, not measurements/],
    ['of no task', { ...gray, task: 'sing' }, /unknown task sing; there are denoise/],
    [
      'of another rank',
      { ...gray, outputs: [{ name: 'denoised', dtype: 'float32', shape: ['N', 1] }] },
      /its output denoised has 2 dimensions, not 4/,
    ],
    ['without its file', { ...recovery, task_files: [] }, /matrix\.npy is not among/],
    [
      'with a matrix of another shape',
      recovery,
      /matrix\.npy of recovery is \(3, 4\), not \(3, 3\)/,
    ],
  ])('and refused where it is %s', async (_, bundle, says) => {
    await expect(checkTask(bundle, matrix(3, 4))).rejects.toThrow(says);
  });
});
