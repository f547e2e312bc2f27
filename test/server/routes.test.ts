/** The routes of recovery and denoising, with requests that are served or find the service full. */
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../src/codecs/npy.ts';
import { JSON_TYPE, noiseImages, requestsTo, vector } from './requests.ts';
import { form, startSmallService, type SmallService } from './support.ts';

let service: SmallService;
let gray: Buffer;
let color: Buffer;
beforeAll(async () => {
  service = await startSmallService();
  ({ gray, color } = await noiseImages());
});
afterAll(() => service.close());

const { post, recover } = requestsTo(() => service);

describe('POST /v1/recover', () => {
  it('answers one vector and several, with depth, reason and π', async () => {
    const one = await recover({ measurements: vector() });
    expect(one.statusCode).toBe(200);
    const body = one.json<{
      signals: number[][];
      samples: { depth: number; reason: string; pi: number[] }[];
    }>();
    expect(body).toMatchObject({ model: 'small-recovery', max_depth: 5 });
    expect(body.signals[0]).toHaveLength(24);
    expect(body.samples[0]!.pi.length).toBeGreaterThanOrEqual(Math.min(body.samples[0]!.depth, 4));
    const many = await recover({ measurements: [vector(), vector(), vector()] });
    expect(many.json<typeof body>().samples).toHaveLength(3);
  });

  it('takes the stopping parameters in the query and in the body', async () => {
    const measurements = vector();
    for (const answer of [
      await recover({ measurements }, '?rule=fixed&depth=3'),
      await recover({
        measurements,
        stopping: { rule: 'fixed', depth: 3 },
        model: 'small-recovery',
      }),
    ]) {
      expect(answer.json()).toMatchObject({ samples: [{ depth: 3, reason: 'fixed' }] });
    }
    const sampled = await recover({ measurements }, '?rule=sample&seed=5');
    expect(sampled.json()).toMatchObject({ seed: 5 });
    const drawn = await recover({ measurements }, '?rule=sample');
    expect(drawn.json<{ seed: number }>().seed).toBeTypeOf('number');
  });

  it('answers raw float32 and .npy in kind, with the depth in headers', async () => {
    const data = Float32Array.from(vector());
    const raw = await post('/v1/recover?rule=fixed&depth=2', Buffer.from(data.buffer), {
      'content-type': 'application/octet-stream',
    });
    expect(raw.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-stop-depth': '2',
      'x-max-depth': '5',
      'x-stop-reason': 'fixed',
      vary: 'Accept',
    });
    expect(raw.rawPayload).toHaveLength(4 * 24);
    const npy = await post(
      '/v1/recover?rule=fixed&depth=2',
      Buffer.from(writeNpy({ shape: [1, 12], data })),
      {
        'content-type': 'application/x-npy',
      },
    );
    const array = readNpy(npy.rawPayload);
    expect(array.shape).toEqual([1, 24]);
    expect(Buffer.from(Float32Array.from(array.data).buffer)).toEqual(raw.rawPayload);
    const json = await post('/v1/recover?rule=fixed&depth=2', Buffer.from(data.buffer), {
      'content-type': 'application/octet-stream',
      accept: 'application/json',
    });
    expect(json.json<{ signals: number[][] }>().signals[0]!.map(Math.fround)).toEqual([
      ...Float32Array.from(array.data),
    ]);
  });
});

describe('POST /v1/denoise', () => {
  it('answers in the format it was sent, choosing the model by the channels', async () => {
    for (const [image, model, channels] of [
      [gray, 'small-gray', 1],
      [color, 'small-color', 3],
    ] as const) {
      const { payload, headers } = await form([{ field: 'image', file: image }]);
      const answer = await post('/v1/denoise', payload, headers);
      expect(answer.headers).toMatchObject({
        'content-type': 'image/png',
        'x-model': model,
        'x-max-depth': '4',
      });
      expect(await sharp(answer.rawPayload).metadata()).toMatchObject({
        format: 'png',
        width: 40,
        height: 30,
        channels,
      });
    }
    const raw = await post('/v1/denoise', await sharp(color).jpeg().toBuffer(), {
      'content-type': 'image/jpeg',
    });
    expect(raw.headers['content-type']).toBe('image/jpeg');
  });

  it('gives the picture to clients that take anything as gladly as JSON, and what is excluded to none', async () => {
    const typeFor = async (accept: string) =>
      (await post('/v1/denoise', color, { 'content-type': 'image/png', accept })).headers[
        'content-type'
      ];
    expect(await typeFor('application/json, text/plain, */*')).toBe('image/png');
    expect(await typeFor('application/*')).toMatch(/^application\/json/);
    expect(await typeFor('image/png;q=0, image/*')).toBe('image/jpeg');
  });

  it('takes bytes without a type for an image', async () => {
    const octets = { 'content-type': 'application/octet-stream' };
    expect((await post('/v1/denoise', color, octets)).headers['content-type']).toBe('image/png');
    expect((await post('/v1/denoise', color, { 'content-type': '' })).statusCode).toBe(200);
  });

  it('refuses a size that the asked format cannot hold before any compute', async () => {
    const wide = await sharp({
      create: { width: 16_400, height: 2, channels: 3, background: '#123' },
    })
      .png()
      .toBuffer();
    const answer = await post('/v1/denoise?format=webp', wide, { 'content-type': 'image/png' });
    expect(answer.statusCode).toBe(400);
    expect(answer.json<{ detail: string }>().detail).toMatch(/webp holds at most 16383 pixels/);
  });

  it('follows Accept and format=', async () => {
    const accept = await post('/v1/denoise', color, {
      'content-type': 'image/png',
      accept: 'image/webp,image/*;q=0.5',
    });
    expect(accept.headers['content-type']).toBe('image/webp');
    const format = await post('/v1/denoise?format=jpeg', color, {
      'content-type': 'image/png',
      accept: 'image/webp',
    });
    expect(format.headers['content-type']).toBe('image/jpeg');
    const json = await post('/v1/denoise?rule=fixed&depth=3', color, {
      'content-type': 'image/png',
      accept: 'application/json',
    });
    expect(json.json()).toMatchObject({
      depth: 3,
      depth_mean: 3,
      samples: [{ x: 0, y: 0, width: 40, height: 30, reason: 'fixed' }],
      image: { format: 'png', width: 40, height: 30 },
    });
    const grid = await post('/v1/denoise?rule=fixed&depth=3&format=json&depth_map=true', color, {
      'content-type': 'image/png',
    });
    expect(grid.json()).toMatchObject({ depth_map: [[3]] });
    const map = await post('/v1/denoise?rule=fixed&depth=2&format=depth', color, {
      'content-type': 'image/jpeg',
    });
    expect(map.headers).toMatchObject({ 'content-type': 'image/png', 'x-stop-depth': '2' });
    const { data, info } = await sharp(map.rawPayload).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, data[0]]).toEqual([40, 30, Math.round((255 * 2) / 4)]);
    const none = await post('/v1/denoise', color, {
      'content-type': 'image/png',
      accept: 'text/html',
    });
    expect(none.statusCode).toBe(406);
  });
});

describe('a full service', () => {
  it('answers 429 with Retry-After and goes on', async () => {
    const full = await startSmallService({ maxPending: 4 });
    const body = JSON.stringify({ measurements: vector() });
    const answers = await Promise.all(
      Array.from({ length: 40 }, () =>
        full.app.inject({ method: 'POST', url: '/v1/recover', payload: body, headers: JSON_TYPE }),
      ),
    );
    const refused = answers.filter(({ statusCode }) => statusCode === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.every(({ statusCode }) => statusCode === 200 || statusCode === 429)).toBe(true);
    expect(refused[0]!.headers['retry-after']).toBe('1');
    expect(refused[0]!.json()).toMatchObject({ code: 'overloaded' });
    const next = await full.app.inject({
      method: 'POST',
      url: '/v1/recover',
      payload: body,
      headers: JSON_TYPE,
    });
    expect(next.statusCode).toBe(200);
    await full.close();
  });
});
