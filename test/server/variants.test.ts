/** What callers and operators see of variants. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { images, writeTwoForms } from '../support/two-forms.ts';
import { startSmallService, type SmallService } from './support.ts';

let service: SmallService;
beforeAll(async () => {
  const modelsDir = await mkdtemp(join(tmpdir(), 'stopwise-'));
  await writeTwoForms(modelsDir, 'image', { form: images, change: { default: true } });
  await writeTwoForms(modelsDir, 'slower', { form: images, slow: 'int8' });
  await writeTwoForms(modelsDir, 'vector', { change: { default: true } });
  service = await startSmallService({ modelsDir, variants: 'auto' });
});
afterAll(() => service.close());

const post = (url: string, payload: Buffer | object, headers: Record<string, string> = {}) =>
  service.app.inject({ method: 'POST', url, payload, headers });
const get = (url: string) => service.app.inject({ method: 'GET', url });

/** A gray PNG whose halves have these levels, 0 to 1. */
function halves(left: number, right: number, side = 600): Promise<Buffer> {
  const data = Uint8Array.from({ length: side * side }, (_, i) =>
    Math.round(255 * (i % side < side / 2 ? left : right)),
  );
  return sharp(data, { raw: { width: side, height: side, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
}

/** The levels in the middle of both halves of an answer, over those of the request. */
async function factors(answer: Buffer, before: readonly number[]): Promise<number[]> {
  const { data, info } = await sharp(answer).raw().toBuffer({ resolveWithObject: true });
  return before.map((level, half) => {
    const at = (info.height / 2) * info.width + Math.round(info.width * (0.25 + half / 2));
    return data[at * info.channels]! / 255 / level;
  });
}

const png = { 'content-type': 'image/png' };

describe('an image of several tiles', () => {
  it.each([
    // The left tiles alone are below the range, 0.4 to 1; the root mean square is within it.
    ['int8', 0.3, [0.3, 0.9]],
    ['float', 0.25, [0.35, 0.4]],
  ] as const)('runs in %s as a whole', async (variant, factor, levels) => {
    const [left, right] = levels;
    const body = await halves(left, right);
    const answer = await post('/v1/denoise?rule=fixed&depth=2', body, png);
    expect(answer.headers).toMatchObject({ 'x-model': 'image', 'x-variant': variant });
    for (const found of await factors(answer.rawPayload, levels))
      expect(found).toBeCloseTo(factor, 1.7);
    const json = await post('/v1/denoise?rule=fixed&depth=2&format=json', body, png);
    const { samples } = json.json<{ samples: { variant: string }[] }>();
    expect(samples.map((tile) => tile.variant)).toEqual(Array(4).fill(variant));
  });

  it('that leaves at exit 0 is float, and byte for byte', async () => {
    const body = await halves(0.1, 0.15);
    const answer = await post('/v1/denoise', body, png);
    expect(answer.headers).toMatchObject({ 'x-stop-depth': '0', 'x-variant': 'float' });
    expect(answer.rawPayload.equals(body)).toBe(true);
  });

  it('follows its exits as events', async () => {
    const answer = await post('/v1/denoise?rule=fixed&depth=3', await halves(0.3, 0.9), {
      ...png,
      accept: 'text/event-stream',
    });
    const events = answer.body.split('\n\n').filter((event) => event.startsWith('event: '));
    expect(events.map((event) => /event: (\w+)/.exec(event)![1])).toEqual([
      ...Array<string>(12).fill('exit'),
      'result',
    ]);
    const { samples } = JSON.parse(events.at(-1)!.split('data: ')[1]!) as {
      samples: { variant: string }[];
    };
    expect(samples.every(({ variant }) => variant === 'int8')).toBe(true);
  });
});

it('samples that are images of their own say which variant each ran in', async () => {
  const x = [0.6, 0.2].map((level) => Array<number>(4).fill(level));
  const stopping = { rule: 'fixed', depth: 3 };
  const answer = await post('/v1/tensor', { inputs: { x }, stopping });
  const { samples } = answer.json<{ samples: { variant: string }[] }>();
  expect(samples.map(({ variant }) => variant)).toEqual(['int8', 'float']);
  expect(answer.headers['x-variant']).toBe('int8');
  const infer = await post('/v2/models/vector/infer', {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: x[0] }],
    parameters: stopping,
  });
  expect(infer.json()).toMatchObject({ parameters: { variant: 'int8' } });
});

it('the models tell which variants are used, and why not', async () => {
  const { models } = (await get('/v1/models')).json<{
    models: { name: string; variants: object[] }[];
  }>();
  const of = (name: string) => models.find((model) => model.name === name)!.variants;
  expect(of('image')).toEqual([expect.objectContaining({ name: 'int8', used: true })]);
  const slower = { name: 'int8', used: false, reason: expect.stringMatching(/^it is no faster/) };
  expect(of('slower')).toEqual([expect.objectContaining(slower)]);
  expect((await get('/v1/models/slower')).json()).toMatchObject({ variants: [slower] });
});

it('the metrics count the samples of each variant, from 0', async () => {
  const counts = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      [
        ...(await get('/metrics')).body.matchAll(
          /^stopwise_variant_samples_total\{model="vector",variant="(\w+)"\} (\d+)$/gm,
        ),
      ].map(([, variant = '', count]) => [variant, Number(count)]),
    );
  const before = await counts();
  const x = [0.6, 0.7, 0.2].map((level) => Array<number>(4).fill(level));
  await post('/v1/tensor', { inputs: { x } });
  const after = await counts();
  expect([after.int8! - before.int8!, after.float! - before.float!]).toEqual([2, 1]);
});

it('the header and the field are documented', async () => {
  const { paths } = (await get('/openapi.json')).json<{
    paths: Record<string, { post: { responses: Record<string, { headers: object }> } }>;
  }>();
  const { headers } = paths['/v1/denoise']!.post.responses['200']!;
  expect(Object.keys(headers)).toContain('x-variant');
  expect(JSON.stringify(paths['/v1/denoise'])).toContain('"variant":{');
});
