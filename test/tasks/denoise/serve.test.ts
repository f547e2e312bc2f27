import { describe, expect, it } from 'vitest';
import { decodeImage, encodeImage, type DecodedImage } from '../../../src/codecs/images.ts';
import type { ImageFormat } from '../../../src/codecs/formats.ts';
import type { Sample } from '../../../src/engine/types.ts';
import type { TaskRequest } from '../../../src/tasks/task.ts';
import { denoise } from '../../../src/tasks/denoise/serve.ts';
import { defaultTiles } from '../../../src/tasks/denoise/tiles.ts';
import { answer, byName, decoderOf, manifest, problem } from '../fixtures.ts';

const MOST = 2e6;
const models = byName(
  manifest('other-gray', 'denoise', ['N', 1, '2*h', '2*w'], false),
  manifest('denoise-gray', 'denoise', ['N', 1, '2*h', '2*w']),
  manifest('denoise-color', 'denoise', ['N', 3, '2*h', '2*w']),
  manifest('sparse-recovery', 'sparse-recovery', ['N', 25]),
);

function picture(
  channels: 1 | 3,
  width: number,
  height: number,
  extra: Partial<DecodedImage> = {},
): DecodedImage {
  const data = Float32Array.from(
    { length: channels * width * height },
    (_, i) => ((i * 7) % 251) / 255,
  );
  return {
    channels,
    width,
    height,
    data,
    format: 'png',
    bits: 8,
    alpha: undefined,
    source: undefined,
    ...extra,
  };
}

const request = (body: Uint8Array, extra: Partial<TaskRequest> = {}): TaskRequest => ({
  task: 'denoise',
  contentType: 'image/png',
  body,
  stopping: {},
  options: {},
  ...extra,
});
const decode = decoderOf(denoise, MOST);
const identity = (sample: Sample) => sample.image!;

describe('denoise', () => {
  it.each([
    [1, 33, 21],
    [3, 64, 2],
    [1, 1, 1],
    [3, 700, 530],
    [1, 1100, 35],
  ] as const)(
    'with a model that changes nothing gives back %i×%i×%i exactly',
    async (channels, width, height) => {
      const image = picture(channels, width, height);
      const decoded = await decode(request(await encodeImage(image, 'png')), models);
      expect(decoded.model).toBe(channels === 1 ? 'denoise-gray' : 'denoise-color');
      const { contentType, headers, body } = await answer(decoded, 'denoised', identity);
      expect(contentType).toBe('image/png');
      const back = await decodeImage(body, MOST);
      expect(back).toMatchObject({ channels, width, height });
      expect(back.data.every((value, i) => Math.abs(value - image.data[i]!) < 1e-6)).toBe(true);
      const single = width * height <= defaultTiles.size ** 2;
      expect(headers).toMatchObject({
        'x-model': decoded.model,
        'x-stop-depth': single ? '4' : '12',
        'x-max-depth': '12',
        'x-stop-reason': single ? 'policy' : 'max_depth',
        'server-timing': 'queue;dur=1.23, compute;dur=20.00, total;dur=25.50',
      });
      expect(headers).not.toHaveProperty('x-seed');
    },
  );

  it('runs large images as tiles of their own depth', async () => {
    const decoded = await decode(request(await encodeImage(picture(1, 1500, 500), 'png')), models);
    expect(decoded.samples.length).toBe(3);
    const { headers } = await answer(decoded, 'denoised', identity, 9);
    expect(headers).toMatchObject({
      'x-stop-depth': '12',
      'x-stop-depth-mean': '8',
      'x-seed': '9',
    });
  });

  it('gives the model what it takes: planes in [0,1] with even sides', async () => {
    const image = picture(3, 21, 17);
    const { samples } = await decode(request(await encodeImage(image, 'png')), models);
    const { data, dims } = samples[0]!.image!;
    expect(dims).toEqual([3, 18, 22]);
    expect([data[0], data[20], data[18 * 22]]).toEqual([0, 20, 21 * 17].map((i) => image.data[i]));
  });

  it('keeps the format, or takes the one asked for', async () => {
    const jpeg = await encodeImage(picture(3, 16, 16), 'jpeg');
    const formatOf = async (accept?: string): Promise<[string, ImageFormat]> => {
      const decoded = await decode(
        request(jpeg, accept === undefined ? {} : { accept: [accept] }),
        models,
      );
      const { contentType, body } = await answer(decoded, 'denoised', identity);
      return [contentType, (await decodeImage(body, MOST)).format];
    };
    expect(await formatOf()).toEqual(['image/jpeg', 'jpeg']);
    expect(await formatOf('image/webp')).toEqual(['image/webp', 'webp']);
  });

  it('keeps alpha and 16 bits', async () => {
    const alpha = Float32Array.from({ length: 64 }, (_, i) => (i * 1000) / 65535);
    const image = picture(3, 8, 8, { bits: 16, alpha });
    const decoded = await decode(request(await encodeImage(image, 'png')), models);
    const { body } = await answer(decoded, 'denoised', (sample) => ({
      ...sample.image!,
      data: sample.image!.data.map((value) => value / 2),
    }));
    const back = await decodeImage(body, MOST);
    expect(back.bits).toBe(16);
    expect(back.alpha).toEqual(alpha);
    expect(back.data[100]).toBeCloseTo(image.data[100]! / 2, 4);
  });

  it('answers JSON with every tile and the image', async () => {
    const image = picture(1, 700, 530);
    const decoded = await decode(
      request(await encodeImage(image, 'png'), { accept: ['application/json'] }),
      models,
    );
    const { contentType, body } = await answer(decoded, 'denoised', identity, 3);
    expect(contentType).toMatch(/^application\/json/);
    const json = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown> & {
      image: { data: string };
    };
    expect(json).toEqual({
      model: 'denoise-gray',
      depth: 12,
      depth_mean: 8,
      max_depth: 12,
      seed: 3,
      samples: [
        { depth: 4, reason: 'policy', pi: [0.1235], x: 0, y: 0, width: 350, height: 530 },
        {
          depth: 12,
          reason: 'max_depth',
          pi: [0.1235, 0.5],
          x: 350,
          y: 0,
          width: 350,
          height: 530,
        },
      ],
      timing: { queue_ms: 1.235, compute_ms: 20, total_ms: 25.5 },
      image: { format: 'png', width: 700, height: 530, data: json.image.data },
    });
    expect((await decodeImage(Buffer.from(json.image.data, 'base64'), MOST)).width).toBe(700);
  });

  it('answers how deep each tile went, as a grid and as a picture', async () => {
    const body = await encodeImage(picture(1, 1500, 700), 'png');
    const json = await answer(
      await decode(
        request(body, { accept: ['application/json'], options: { depth_map: true } }),
        models,
      ),
      'denoised',
      identity,
    );
    const { depth_map: grid } = JSON.parse(new TextDecoder().decode(json.body)) as {
      depth_map: number[][];
    };
    expect(grid).toEqual([
      [4, 12, 8],
      [4, 12, 8],
    ]);
    const map = await answer(
      await decode(request(body, { accept: ['image/png'], options: { format: 'depth' } }), models),
      'denoised',
      identity,
    );
    expect(map.headers).toMatchObject({ 'x-stop-depth': '12', 'x-max-depth': '12' });
    const { width, height, channels, data } = await decodeImage(map.body, MOST);
    expect([width, height, channels]).toEqual([1500, 700, 1]);
    expect(
      [0, 499, 500, 999, 1000, 1499].map((x) => Math.round(255 * data[300 * 1500 + x]!)),
    ).toEqual([85, 85, 255, 255, 170, 170]);
  });

  it('passes the stopping parameters on', async () => {
    const stopping = { rule: 'fixed', depth: 8 } as const;
    expect(
      (await decode(request(await encodeImage(picture(1, 4, 4), 'png'), { stopping }), models))
        .stopping,
    ).toEqual(stopping);
  });

  it('takes the model that is named', async () => {
    const body = await encodeImage(picture(1, 4, 4), 'png');
    expect((await decode(request(body, { model: 'other-gray' }), models)).model).toBe('other-gray');
  });

  it('takes a gray model that is named for a gray picture stored in colour', async () => {
    const gray = picture(1, 4, 4).data;
    const data = Float32Array.from([...gray, ...gray, ...gray]);
    const body = await encodeImage({ ...picture(3, 4, 4), data }, 'png');
    const claims: unknown[] = [];
    const admit = (claim: unknown): Promise<void> => Promise.resolve(void claims.push(claim));
    const decoded = await denoise.decode(request(body, { model: 'other-gray' }), {
      models,
      files: () => Promise.reject(new Error('there is no file')),
      settings: { maxPixels: MOST },
      admit,
    });
    expect(decoded.model).toBe('other-gray');
    expect(claims).toMatchObject([{ work: { model: 'other-gray', elements: 16 } }]);
  });

  it.each([
    [
      'denoise-none',
      'unknown-model',
      /no model denoise-none.*other-gray, denoise-gray, denoise-color/,
    ],
    ['sparse-recovery', 'wrong-task', /model for sparse-recovery/],
    ['denoise-color', 'bad-image', /3 channel.*has 1; leave model out/],
  ])('refuses the model %s for a gray image', async (model, code, sentence) => {
    const body = await encodeImage(picture(1, 4, 4), 'png');
    const found = await problem(() => decode(request(body, { model }), models));
    expect(found.code).toBe(code);
    expect(found.message).toMatch(sentence);
  });

  it('says so where no model fits the channels', async () => {
    const body = await encodeImage(picture(3, 4, 4), 'png');
    const gray = byName(manifest('denoise-gray', 'denoise', ['N', 1, '2*h', '2*w']));
    expect((await problem(() => decode(request(body), gray))).message).toMatch(/denoise-gray/);
  });

  it('refuses what is no image, and too large a one', async () => {
    expect((await problem(() => decode(request(Buffer.from('no image')), models))).code).toBe(
      'bad-image',
    );
    const small = decoderOf(denoise, 15);
    const body = await encodeImage(picture(1, 4, 4), 'png');
    expect((await problem(() => small(request(body), models))).status).toBe(413);
  });
});
