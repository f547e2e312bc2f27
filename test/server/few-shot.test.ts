import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { smallFewShot, writeModels } from '../support/small.ts';
import { stripes } from './stripes.ts';
import { form, startSmallService, type SmallService } from './support.ts';

let service: SmallService;
let across: Buffer;
let down: Buffer;
beforeAll(async () => {
  service = await startSmallService({ modelsDir: await writeModels([smallFewShot()]) });
  [across, down] = [await stripes(true), await stripes(false)];
});
afterAll(() => service.close());

interface Answer {
  labels: string[];
  predictions: { label: string; scores: number[] }[];
  depth: number;
  pi: number[];
}

const post = (payload: Buffer | string, headers: Record<string, string>, query = '') =>
  service.app.inject({ method: 'POST', url: `/v1/few-shot${query}`, payload, headers });
const json = (body: unknown, query = '') =>
  post(JSON.stringify(body), { 'content-type': 'application/json' }, query);
const task = () => ({
  support: [
    { label: 'across', image: across.toString('base64') },
    { label: 'down', image: down.toString('base64') },
  ],
  query: [down.toString('base64'), across.toString('base64'), down.toString('base64')],
});
const labels = ({ predictions }: Answer): string[] => predictions.map(({ label }) => label);

describe('POST /v1/few-shot', () => {
  it('learns from JSON and from a form alike, and says how many steps it took', async () => {
    const first = await json(task(), '?rule=fixed&depth=1');
    expect(first.statusCode).toBe(200);
    const body = first.json<Answer>();
    expect(body).toMatchObject({
      model: 'small-few-shot',
      max_depth: 3,
      labels: ['across', 'down'],
      depth: 1,
      reason: 'fixed',
    });
    expect(labels(body)).toEqual(['down', 'across', 'down']);
    const { payload, headers } = await form([
      { field: 'label', text: 'across' },
      { field: 'support', file: across },
      { field: 'label', text: 'down' },
      { field: 'support', file: down },
      { field: 'query', file: down },
      { field: 'query', file: across },
      { field: 'query', file: down },
    ]);
    const answer = await post(payload, headers, '?rule=fixed&depth=1');
    expect(answer.json<Answer>().predictions).toEqual(body.predictions);
  });

  const grouped = (names: readonly string[], files: readonly Buffer[]) =>
    form([
      ...names.map((text) => ({ field: 'label', text })),
      ...files.map((file) => ({ field: 'support', file })),
      ...[down, across].map((file) => ({ field: 'query', file })),
    ]);

  it('pairs labels and files by place in a form that is grouped by field', async () => {
    const { payload, headers } = await grouped(['across', 'down', 'down'], [across, down, down]);
    const answer = (await post(payload, headers, '?rule=fixed&depth=1')).json<Answer>();
    expect(answer).toMatchObject({ labels: ['across', 'down'] });
    expect(labels(answer)).toEqual(['down', 'across']);
  });

  it('lets a label count for the files after it, also where there are as many labels as files', async () => {
    const { payload, headers } = await form([
      { field: 'label', text: 'unused' },
      { field: 'label', text: 'across' },
      { field: 'support', file: across },
      { field: 'support', file: across },
      { field: 'label', text: 'down' },
      { field: 'support', file: down },
      { field: 'query', file: down },
    ]);
    const answer = (await post(payload, headers, '?rule=fixed&depth=1')).json<Answer>();
    expect(answer).toMatchObject({ labels: ['across', 'down'] });
    expect(labels(answer)).toEqual(['down']);
  });

  it.each([
    [['across', 'down', 'down'], 2, /3 labels before its 2 support files; send one for each/],
    [['across', 'down'], 3, /2 labels before its 3 support files; send one for each/],
    [['across'], 2, /one class, "across"/],
    [['across', ' '], 2, /label .* is empty/],
  ])('refuses %j before %i files', async (names, count, sentence) => {
    const files = [across, down, down].slice(0, count);
    const { payload, headers } = await grouped(names, files);
    const answer = await post(payload, headers);
    expect(answer.statusCode).toBe(400);
    expect(answer.json<{ detail: string }>().detail).toMatch(sentence);
  });

  it('takes every stop rule, a cap and a deadline', async () => {
    for (const depth of [1, 2, 3]) {
      const answer = (await json({ ...task(), stopping: { rule: 'fixed', depth } })).json<Answer>();
      expect(answer).toMatchObject({ depth, reason: 'fixed' });
      expect(answer.pi).toHaveLength(Math.min(depth, 2));
    }
    expect((await json(task(), '?threshold=1&max_depth=2')).json()).toMatchObject({
      depth: 2,
      reason: 'max_depth',
    });
    expect((await json(task(), '?threshold=0')).json()).toMatchObject({
      depth: 1,
      reason: 'policy',
    });
    expect((await json(task(), '?rule=sample&seed=4')).json()).toMatchObject({ seed: 4 });
    expect((await json(task(), '?threshold=1&deadline_ms=0')).json()).toMatchObject({
      depth: 1,
      reason: 'deadline',
    });
  });

  it('answers all queries of a request from one adaptation, each as if it came alone', async () => {
    const { support, query } = task();
    const many = Array.from({ length: 40 }, (_, i) => query[i % 2]!);
    const { predictions } = (
      await json({ support, query: many }, '?rule=fixed&depth=3')
    ).json<Answer>();
    expect(predictions).toHaveLength(40);
    for (const i of [0, 1]) {
      const alone = (
        await json({ support, query: [query[i]] }, '?rule=fixed&depth=3')
      ).json<Answer>().predictions[0]!;
      alone.scores.forEach((score, k) =>
        expect(predictions[38 + i]!.scores[k]).toBeCloseTo(score, 3),
      );
    }
  });

  it.each<[string, { field: string; text?: string; image?: true }[], RegExp]>([
    [
      'a form without a file',
      [{ field: 'label', text: 'a' }],
      /no file; send files in support and query/,
    ],
    [
      'a file in another field',
      [{ field: 'image', image: true }],
      /file in the field image; send files in support and query/,
    ],
    [
      'another field',
      [{ field: 'shots', text: '4' }],
      /text field shots; send files in support and query, and text in label/,
    ],
    [
      'a label without an end',
      [{ field: 'label', text: 'a'.repeat(5000) }],
      /label is longer than 1024 bytes/,
    ],
    ['a support file without a label', [{ field: 'support', image: true }], /no label/],
  ])('refuses %s', async (_, parts, sentence) => {
    const { payload, headers } = await form(
      parts.map(({ field, text, image }) => ({
        field,
        ...(text !== undefined && { text }),
        ...(image && { file: across }),
      })),
    );
    const answer = await post(payload, headers);
    expect(answer.statusCode).toBe(400);
    expect(answer.json<{ detail: string }>().detail).toMatch(sentence);
  });

  it('refuses what is no JSON and no form, and a body that is none', async () => {
    expect((await post('hello', { 'content-type': 'text/plain' })).statusCode).toBe(415);
    expect((await json({})).statusCode).toBe(400);
  });

  it('is described', async () => {
    const document = (await service.app.inject('/openapi.json')).json<{
      paths: Record<string, { post: Record<string, unknown> }>;
    }>();
    const { requestBody, responses } = document.paths['/v1/few-shot']!.post as {
      requestBody: {
        content: Record<
          string,
          { schema: { required: string[]; description: string }; encoding?: object }
        >;
      };
      responses: Record<string, { content: Record<string, { schema: { properties: object } }> }>;
    };
    expect(requestBody.content['application/json']!.schema.required).toEqual(['support', 'query']);
    const taken = requestBody.content['multipart/form-data']!;
    expect(taken.schema.required).toContain('label');
    expect(taken.schema.description).toMatch(/as many of them, the first label is/);
    // Without it Swagger UI joins the labels by commas.
    expect(taken.encoding).toEqual({ label: { style: 'form', explode: true } });
    expect(Object.keys(responses['200']!.content['application/json']!.schema.properties)).toContain(
      'predictions',
    );
  });
});
