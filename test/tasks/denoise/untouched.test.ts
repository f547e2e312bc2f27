/** Answers at exit 0, where the image is returned as it was sent, and the noise level. */
import { describe, expect, it } from 'vitest';
import { decodeImage, encodeImage } from '../../../src/codecs/images.ts';
import type { RunResult, TaskAnswer } from '../../../src/engine/types.ts';
import { denoise } from '../../../src/tasks/denoise/serve.ts';
import type { TaskRequest } from '../../../src/tasks/task.ts';
import { byName, decoderOf, manifest } from '../fixtures.ts';

const models = byName(manifest('denoise-gray', 'denoise', ['N', 1, '2*h', '2*w']));
const decode = decoderOf(denoise, 4e6);
const size = { width: 1200, height: 40 };
const frame = {
  ...size,
  channels: 1,
  format: 'png',
  bits: 8,
  alpha: undefined,
  source: undefined,
} as const;
const data = Float32Array.from({ length: 48_000 }, (_, i) => ((i * 7) % 251) / 255);

/** A file that no encoder of ours would write: what follows the image's end is lost in decoding. */
const file = async (): Promise<Uint8Array> =>
  Buffer.concat([await encodeImage({ ...frame, data }, 'png'), Buffer.from('trailing bytes')]);

async function answerAt(
  depths: readonly number[],
  levels: readonly number[] | undefined,
  change: Partial<TaskRequest> = {},
): Promise<TaskAnswer> {
  const decoded = await decode(
    {
      task: 'denoise',
      contentType: 'image/png',
      body: await file(),
      stopping: {},
      options: {},
      ...change,
    },
    models,
  );
  expect(decoded.samples).toHaveLength(depths.length);
  const result: RunResult = {
    model: decoded.model,
    maxDepth: 12,
    samples: decoded.samples.map(({ image }, i) => ({
      depth: depths[i]!,
      reason: 'policy',
      pi: [1],
      ...(levels && { statistic: levels[i]! }),
      outputs: { denoised: image! },
    })),
    timing: { queueMs: 0, computeMs: 0, totalMs: 0 },
  };
  result.samples.forEach((sample, index) => decoded.collect?.(index, sample));
  return decoded.encode(result);
}

describe('an image that needs nothing', () => {
  it('is answered byte for byte', async () => {
    const { body, headers } = await answerAt([0], [0.3]);
    expect(Buffer.compare(Buffer.from(body), Buffer.from(await file()))).toBe(0);
    expect(headers).toMatchObject({ 'x-stop-depth': '0', 'x-noise-level': '0.3' });
  });

  it('is encoded where another format is asked for, or it was changed', async () => {
    const webp = await answerAt([0], [0.3], { accept: ['image/webp'] });
    expect(webp.contentType).toBe('image/webp');
    expect(await decodeImage(webp.body, 1e6)).toMatchObject({ format: 'webp', ...size });
    const changed = await answerAt([4], [3]);
    expect(changed.body.length).toBeLessThan((await file()).length);
  });

  it('is inside a JSON answer as it was sent', async () => {
    const { body } = await answerAt([0], [1.234], { accept: ['application/json'] });
    const answer = JSON.parse(Buffer.from(body).toString()) as {
      noise_level: number;
      image: { data: string };
    };
    expect(answer.noise_level).toBe(1.23);
    expect(Buffer.from(answer.image.data, 'base64').equals(Buffer.from(await file()))).toBe(true);
  });
});

it('a model that estimates no noise level answers none', async () => {
  expect((await answerAt([4], undefined)).headers).not.toHaveProperty('x-noise-level');
});
