/** Errors repeat a line at most of what they were sent; forms stop at their limits. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { smallFewShot, smallModels, writeModels } from '../support/small.ts';
import { form, startSmallService, type SmallService } from './support.ts';

let service: SmallService;
beforeAll(async () => {
  const modelsDir = await writeModels([...smallModels(), smallFewShot()]);
  service = await startSmallService({ modelsDir }, { maxBodyBytes: 100_000 });
});
afterAll(() => service.close());

type Headers = Record<string, string>;
const post = (url: string, payload: Buffer | string, headers: Headers = {}) =>
  service.app.inject({ method: 'POST', url, payload, headers });
const JSON_TYPE = { 'content-type': 'application/json' };
const long = 'z'.repeat(5_000);

describe('an error repeats a line at most', () => {
  const body = JSON.stringify({ measurements: [1] });
  it.each<[string, () => Promise<{ statusCode: number; body: string }>, number]>([
    ['path', () => service.app.inject({ url: `/${long}` }), 404],
    ['posted path', () => post(`/${long}`, 'x'), 404],
    ['method', () => post(`/v1/models?${long}`, 'x'), 405],
    ['undecodable path', () => service.app.inject({ url: `/%zz${long}` }), 404],
    ['model', () => service.app.inject({ url: `/v1/models/${'z'.repeat(95)}` }), 404],
    ['long model', () => service.app.inject({ url: `/v1/models/${long}` }), 404],
    ['file', () => service.app.inject({ url: `/v1/models/small-gray/files/${long}` }), 404],
    ['model in the query', () => post(`/v1/recover?model=${long}`, body, JSON_TYPE), 404],
    ['parameter', () => post(`/v1/recover?${long}=1`, body, JSON_TYPE), 400],
    ['value', () => post(`/v1/recover?rule=${long}`, body, JSON_TYPE), 400],
    ['number', () => post(`/v1/recover?threshold=${long}`, body, JSON_TYPE), 400],
    ['Accept', () => post('/v1/recover', body, { ...JSON_TYPE, accept: `a/${long}` }), 406],
    ['Content-Type', () => post('/v1/recover', body, { 'content-type': `a/${long}` }), 415],
    [
      'Content-Encoding',
      () => post('/v1/recover', body, { ...JSON_TYPE, 'content-encoding': long }),
      415,
    ],
    ['field of JSON', () => post('/v1/recover', JSON.stringify({ [long]: 1 }), JSON_TYPE), 400],
    ['text that is no JSON', () => post('/v1/recover', long, JSON_TYPE), 400],
    [
      'model in JSON',
      () => post('/v1/recover', JSON.stringify({ measurements: [1], model: long }), JSON_TYPE),
      404,
    ],
  ])('%s', async (_, send, status) => {
    const answer = await send();
    expect(answer.statusCode).toBe(status);
    expect(answer.body).not.toContain('z'.repeat(201));
    expect(answer.body.length).toBeLessThan(1_500);
  });
});

describe('a multipart form', () => {
  const send = async (
    url: string,
    parts: readonly { field: string; file?: Uint8Array; text?: string }[],
  ) => {
    const { payload, headers } = await form(parts);
    const answer = await post(url, payload, headers);
    return [answer.statusCode, answer.json<{ code: string }>().code];
  };
  const file = new Uint8Array(10);
  const many = (count: number, part: { field: string; file?: Uint8Array; text?: string }) =>
    Array.from({ length: count }, () => part);

  it.each<[string, readonly { field: string; file?: Uint8Array; text?: string }[], number, string]>(
    [
      ['a second file', many(2, { field: 'image', file }), 400, 'bad-body'],
      ['a text field', [{ field: 'image', text: 'x' }], 400, 'bad-body'],
      ['no part', [], 400, 'bad-body'],
      ['10,000 parts', many(10_000, { field: 'image', text: '' }), 400, 'bad-body'],
      ['a name of 5,000 characters', [{ field: long, file }], 400, 'bad-body'],
      [
        'a file over the limit',
        [{ field: 'image', file: new Uint8Array(100_001) }],
        413,
        'too-large',
      ],
    ],
  )('with %s is refused', async (_, parts, status, code) => {
    expect(await send('/v1/denoise', parts)).toEqual([status, code]);
  });

  it('of many fields, large fields or a large whole is refused', async () => {
    const label = { field: 'label', text: 'x' };
    expect(await send('/v1/few-shot', many(3_000, label))).toEqual([400, 'bad-body']);
    expect(await send('/v1/few-shot', [{ field: 'label', text: 'x'.repeat(1_025) }])).toEqual([
      400,
      'bad-body',
    ]);
    const half = { field: 'support', file: new Uint8Array(60_000) };
    expect(await send('/v1/few-shot', [label, half, half])).toEqual([413, 'too-large']);
  });

  it.each([
    ['no boundary', 'multipart/form-data', 'x'],
    [
      'no end',
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\nabc',
    ],
    ['a header without end', 'multipart/form-data; boundary=b', `--b\r\n${'h'.repeat(90_000)}`],
    ['a boundary of 5,000 characters', `multipart/form-data; boundary=${long}`, `--${long}\r\n`],
  ])('with %s is refused', async (_, type, payload) => {
    expect((await post('/v1/denoise', payload, { 'content-type': type })).statusCode).toBe(400);
  });
});
