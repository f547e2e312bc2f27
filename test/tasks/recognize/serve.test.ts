import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import type { TaskRequest } from '../../../src/tasks/task.ts';
import { recognize } from '../../../src/tasks/recognize/serve.ts';
import { answer, byName, decoderOf, manifest, problem } from '../fixtures.ts';

const labels = ['ant', 'bee', 'cat', 'dog', 'eel', 'fox'];
const model: Manifest = {
  ...manifest('recognize', 'recognize', ['N', 3, 8, 8]),
  inputs: [{ name: 'image', dtype: 'float32', shape: ['N', 3, 8, 8] }],
  outputs: [{ name: 'logits', dtype: 'float32', shape: ['N', 6] }],
};
const models = byName(model, manifest('denoise-color', 'denoise', ['N', 3, '2*h', '2*w']));
const decode = (body: Uint8Array, extra: Partial<TaskRequest> = {}) =>
  decoderOf(recognize, 10_000, (name, file) => {
    expect([name, file]).toEqual(['recognize', 'labels.json']);
    return Promise.resolve(Buffer.from(JSON.stringify(labels)));
  })({ task: 'recognize', contentType: 'image/png', body, stopping: {}, ...extra }, models);
const plain = (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: { r: 255, g: 0, b: 51 } } })
    .png()
    .toBuffer();

describe('recognize', () => {
  it.each([
    [8, 8],
    [1, 1],
    [90, 30],
    [7, 100],
  ])('brings an image of %i×%i to the side of the model', async (width, height) => {
    const { model: name, samples } = await decode(await plain(width, height));
    expect(name).toBe('recognize');
    expect(samples).toHaveLength(1);
    const { data, dims } = samples[0]!.image!;
    expect(dims).toEqual([3, 8, 8]);
    expect([data[0], data[64], data[191]].map((value) => Number(value!.toFixed(3)))).toEqual([
      1, 0, 0.2,
    ]);
  });

  it('answers the five likeliest classes with their probabilities', async () => {
    const logits = Float32Array.of(0, Math.log(4), -90, 0, Math.log(2), -1000);
    const { contentType, body } = await answer(await decode(await plain(8, 8)), 'logits', () => ({
      data: logits,
      dims: [6],
    }));
    expect(contentType).toMatch(/^application\/json/);
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      model: 'recognize',
      label: 'bee',
      scores: [
        { label: 'bee', score: 0.5 },
        { label: 'eel', score: 0.25 },
        { label: 'ant', score: 0.125 },
        { label: 'dog', score: 0.125 },
        { label: 'cat', score: expect.closeTo(0, 9) as number },
      ],
      depth: 4,
      reason: 'policy',
      pi: [0.1235],
      max_depth: 12,
      timing: { queue_ms: 1.235, compute_ms: 20, total_ms: 25.5 },
    });
  });

  it('refuses what is no image, too large, or meant for another task', async () => {
    expect(await problem(async () => decode(Buffer.from('hello')))).toMatchObject({
      code: 'bad-image',
    });
    expect(await problem(async () => decode(await plain(101, 100)))).toMatchObject({
      code: 'too-large',
    });
    expect(
      await problem(async () => decode(await plain(8, 8), { model: 'denoise-color' })),
    ).toMatchObject({ code: 'wrong-task' });
    expect(await problem(async () => decode(await plain(8, 8), { model: 'none' }))).toMatchObject({
      code: 'unknown-model',
    });
  });
});
