import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { smallLabels, smallModels, smallRecognize, writeModels } from '../support/small.ts';
import { form, startSmallService, type SmallService } from './support.ts';

interface Answer {
  readonly label: string;
  readonly scores: readonly { readonly label: string; readonly score: number }[];
  readonly depth: number;
  readonly reason: string;
  readonly pi: readonly number[];
}

let service: SmallService;
let picture: Buffer;
beforeAll(async () => {
  service = await startSmallService({
    modelsDir: await writeModels([...smallModels(), smallRecognize()]),
  });
  picture = await sharp({
    create: {
      width: 50,
      height: 30,
      channels: 3,
      background: '#395',
      noise: { type: 'gaussian', mean: 128, sigma: 40 },
    },
  })
    .png()
    .toBuffer();
});
afterAll(() => service.close());

const png = { 'content-type': 'image/png' };
const post = (query: string, payload: Buffer | string, headers: Record<string, string> = png) =>
  service.app.inject({ method: 'POST', url: `/v1/recognize${query}`, payload, headers });

describe('POST /v1/recognize', () => {
  it('answers the label, the five likeliest classes, and where it stopped', async () => {
    const answer = await post('', picture);
    expect(answer.statusCode).toBe(200);
    const body = answer.json<Answer>();
    expect(body).toMatchObject({ model: 'small-recognize', max_depth: 3 });
    expect(body.scores).toHaveLength(5);
    expect(body.label).toBe(body.scores[0]!.label);
    expect(smallLabels).toContain(body.label);
    expect(body.pi).toHaveLength(Math.min(body.depth, 2));
  });

  it('takes images of every format, as bytes and as a form, in gray and with alpha', async () => {
    const whole = sharp(picture);
    const variants: [Buffer, string][] = [
      [await whole.clone().jpeg().toBuffer(), 'image/jpeg'],
      [await whole.clone().webp().toBuffer(), 'image/webp'],
      [await whole.clone().avif().toBuffer(), 'image/avif'],
      [await whole.clone().tiff().toBuffer(), 'image/tiff'],
      [await whole.clone().toColourspace('b-w').png().toBuffer(), 'image/png'],
      [await whole.clone().ensureAlpha(0.5).png().toBuffer(), 'image/png'],
    ];
    for (const [bytes, type] of variants)
      expect((await post('', bytes, { 'content-type': type })).statusCode).toBe(200);
    const { payload, headers } = await form([{ field: 'image', file: picture }]);
    const sent = (await post('?rule=fixed&depth=2', payload, headers)).json<Answer>();
    expect(sent.scores).toEqual((await post('?rule=fixed&depth=2', picture)).json<Answer>().scores);
  });

  it('stops by confidence, the score it answers with, where that is asked for', async () => {
    const fixed = (await post('?rule=fixed&depth=1', picture)).json<Answer>();
    const confidence = fixed.scores[0]!.score;
    const below = (
      await post(`?rule=confidence&threshold=${confidence - 0.01}`, picture)
    ).json<Answer>();
    expect(below).toMatchObject({ depth: 1, reason: 'policy', label: fixed.label });
    expect(below.pi[0]).toBeCloseTo(confidence, 3);
    const above = (
      await post(`?rule=confidence&threshold=${confidence + 0.01}`, picture)
    ).json<Answer>();
    expect(above.depth).toBeGreaterThan(1);
    const refused = await service.app.inject({
      method: 'POST',
      url: '/v1/denoise?rule=confidence',
      payload: picture,
      headers: png,
    });
    expect([refused.statusCode, refused.json<{ code: string }>().code]).toEqual([
      400,
      'bad-parameter',
    ]);
    expect(refused.json<{ detail: string }>().detail).toMatch(
      /confidence requires a model that outputs its confidence/,
    );
  });

  it.each<[string, number, string, () => ReturnType<typeof post>]>([
    ['an empty body', 400, 'bad-body', () => post('', '')],
    ['no image', 400, 'bad-image', () => post('', 'hello')],
    ['half an image', 400, 'bad-image', () => post('', picture.subarray(0, picture.length / 2))],
    [
      'another content type',
      415,
      'unsupported-media-type',
      () => post('', '{}', { 'content-type': 'application/json' }),
    ],
    ['an unknown parameter', 400, 'bad-parameter', () => post('?format=png', picture)],
    ['a depth that is no exit', 400, 'bad-parameter', () => post('?rule=fixed&depth=9', picture)],
    ['a model of another task', 400, 'wrong-task', () => post('?model=small-gray', picture)],
    ['a model that is not there', 404, 'unknown-model', () => post('?model=none', picture)],
    [
      'an answer that cannot be given',
      406,
      'not-acceptable',
      () => post('', picture, { ...png, accept: 'image/png' }),
    ],
    [
      'a form with another field',
      400,
      'bad-body',
      async () => {
        const { payload, headers } = await form([{ field: 'picture', file: picture }]);
        return post('', payload, headers);
      },
    ],
  ])('refuses %s, and answers the next', async (_, status, code, send) => {
    const answer = await send();
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([status, code]);
    expect(answer.headers['content-type']).toMatch(/problem\+json/);
    expect((await post('', picture)).statusCode).toBe(200);
  });

  it('answers over a socket, hands out its labels, describes itself and counts depths', async () => {
    const url = await service.app.listen({ port: 0, host: '127.0.0.1' });
    const answer = await fetch(`${url}/v1/recognize?rule=fixed&depth=3`, {
      method: 'POST',
      headers: png,
      body: new Uint8Array(picture),
    });
    expect(await answer.json()).toMatchObject({ depth: 3, reason: 'fixed' });
    expect(
      await (await fetch(`${url}/v1/models/small-recognize/files/labels.json`)).json(),
    ).toEqual(smallLabels);
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
      paths: Record<string, unknown>;
    };
    expect(JSON.stringify(paths['/v1/recognize'])).toMatch(/5 likeliest/);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(
      /stopwise_samples_total\{model="small-recognize",reason="fixed"\} [1-9]/,
    );
  });
});
