import { expect, it } from 'vitest';
import { encodeImage } from '../../src/codecs/images.ts';
import { taskDecoders } from '../../src/tasks/serving.ts';
import { byName, problem } from './fixtures.ts';

const noFiles = () => Promise.reject(new Error('there is no file'));

it('names each task by the last part of its path and hands the settings on', async () => {
  const tasks = taskDecoders({ maxPixels: 8 });
  expect(Object.keys(tasks)).toEqual(['denoise', 'few-shot', 'recognize', 'recover']);
  const image = {
    channels: 1 as const,
    width: 3,
    height: 3,
    data: new Float32Array(9),
    format: 'png' as const,
    bits: 8 as const,
    alpha: undefined,
    source: undefined,
  };
  const body = await encodeImage(image, 'png');
  expect(
    (
      await problem(() =>
        tasks.denoise!(
          { task: 'denoise', contentType: 'image/png', body, stopping: {} },
          byName(),
          noFiles,
        ),
      )
    ).code,
  ).toBe('too-large');
});
