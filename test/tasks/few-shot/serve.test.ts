import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import type { Sample } from '../../../src/engine/types.ts';
import type { FormPart, TaskRequest } from '../../../src/tasks/task.ts';
import { fewShot } from '../../../src/tasks/few-shot/serve.ts';
import { answer, byName, decoderOf, manifest, problem } from '../fixtures.ts';

const SIDE = 4;
const model: Manifest = {
  ...manifest('few-shot', 'few-shot', [1, 'S', 1, SIDE, SIDE]),
  inputs: [
    { name: 'support', dtype: 'float32', shape: [1, 'S', 1, SIDE, SIDE] },
    { name: 'labels', dtype: 'float32', shape: [1, 'S', 'K'] },
    { name: 'query', dtype: 'float32', shape: [1, 'Q', 1, SIDE, SIDE] },
  ],
  outputs: [{ name: 'logits', dtype: 'float32', shape: [1, 'Q', 'K'] }],
  limits: { K: 3, S: 6, Q: 5 },
};
const models = byName(model, manifest('recover', 'sparse-recovery', ['N', 3]));
const decode = decoderOf(fewShot, 10_000);

let dark: Buffer;
let light: Buffer;
let red: Buffer;
let huge: Buffer;
const plain = (background: string, size = 9): Promise<Buffer> =>
  sharp({ create: { width: size, height: size + 3, channels: 3, background } })
    .png()
    .toBuffer();
beforeAll(async () => {
  [dark, light, red, huge] = [
    await plain('#000'),
    await plain('#fff'),
    await plain('#f00'),
    await plain('#888', 120),
  ];
});

const request = (body: unknown, extra: Partial<TaskRequest> = {}): TaskRequest => ({
  task: 'few-shot',
  contentType: 'application/json',
  body: Buffer.from(JSON.stringify(body)),
  stopping: {},
  options: {},
  ...extra,
});
const entry = (label: unknown, image: Buffer): object => ({
  label,
  image: image.toString('base64'),
});
const pair = (): object[] => [entry('dark', dark), entry('light', light)];
const query = (count = 1): string[] => Array.from({ length: count }, () => dark.toString('base64'));

describe('few-shot takes', () => {
  it('images of any size and colour, as gray squares with their labels in the order in which they come', async () => {
    const { samples, model: name } = await decode(
      request({ support: [...pair(), entry('dark', red)], query: query(2) }),
      models,
    );
    expect(name).toBe('few-shot');
    const [{ support, labels, query: queries }] = samples as [
      Record<'support' | 'labels' | 'query', Sample[string]>,
    ];
    expect(support.dims).toEqual([3, 1, SIDE, SIDE]);
    expect([...labels.data]).toEqual([1, 0, 0, 1, 1, 0]);
    expect(labels.dims).toEqual([3, 2]);
    expect(queries.dims).toEqual([2, 1, SIDE, SIDE]);
    expect([...support.data.subarray(0, 2 * SIDE ** 2)]).toEqual([
      ...new Array<number>(16).fill(0),
      ...new Array<number>(16).fill(1),
    ]);
    expect(support.data[2 * SIDE ** 2]).toBeGreaterThan(0.1);
    expect(support.data[2 * SIDE ** 2]).toBeLessThan(0.6);
  });

  it('the parts of a form, data URLs, and the stopping parameters', async () => {
    const parts: FormPart[] = [
      { field: 'label', text: 'a' },
      { field: 'support', file: dark },
      { field: 'label', text: ' b ' },
      { field: 'support', file: light },
      { field: 'query', file: red },
    ];
    const form = await decode(
      { ...request({}), contentType: 'multipart/form-data', parts, stopping: { depth: 4 } },
      models,
    );
    expect(form.stopping).toEqual({ depth: 4 });
    expect([...form.samples[0]!.labels!.data]).toEqual([1, 0, 0, 1]);
    const url = `data:image/png;base64,${dark.toString('base64')}`;
    const json = await decode(
      request({ support: pair(), query: [url], stopping: { rule: 'fixed', depth: 8 } }),
      models,
    );
    expect(json.stopping).toEqual({ rule: 'fixed', depth: 8 });
  });
});

describe('few-shot labels', () => {
  it('are equal after normalisation and trimming alone: A and a are two classes', async () => {
    const classes = async (...labels: string[]) =>
      (
        await decode(
          request({ support: labels.map((label) => entry(label, dark)), query: query() }),
          models,
        )
      ).samples[0]!.labels!.dims[1];
    expect(await classes('A', 'a')).toBe(2);
    expect(await classes('caf\u00e9', 'cafe\u0301 ', 'tea')).toBe(2);
  });
});

describe('few-shot answers', () => {
  it('with the label and the scores of every query, and the steps taken', async () => {
    const decoded = await decode(request({ support: pair(), query: query(2) }), models);
    const { body } = await answer(decoded, 'logits', () => ({
      data: Float32Array.of(0, Math.log(3), 5, 5 - Math.log(4)),
      dims: [2, 2],
    }));
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      model: 'few-shot',
      max_depth: 12,
      labels: ['dark', 'light'],
      predictions: [
        { label: 'light', scores: [0.25, 0.75] },
        { label: 'dark', scores: [0.8, 0.2] },
      ],
      depth: 4,
      reason: 'policy',
      pi: [0.1235],
      timing: { queue_ms: 1.235, compute_ms: 20, total_ms: 25.5 },
    });
  });
});

describe('few-shot refuses', () => {
  it.each<[string, () => unknown, string, RegExp]>([
    ['no support', () => ({ query: query() }), 'bad-body', /The body needs support/],
    ['an empty support', () => ({ support: [], query: query() }), 'bad-body', /support is empty/],
    [
      'one class only',
      () => ({ support: [entry('a', dark), entry('a', light)], query: query() }),
      'bad-body',
      /one class, "a"/,
    ],
    [
      'a class without an image',
      () => ({ support: [...pair(), { label: 'c' }], query: query() }),
      'bad-body',
      /support\[2\] needs image/,
    ],
    [
      'an empty label',
      () => ({ support: [entry(' ', dark), ...pair()], query: query() }),
      'bad-body',
      /label of support\[0\] is empty/,
    ],
    [
      'a label that is no text',
      () => ({ support: [entry(4, dark), ...pair()], query: query() }),
      'bad-body',
      /support\[0\]\.label must be a string, not 4/,
    ],
    [
      'a long label',
      () => ({ support: [entry('x'.repeat(300), dark)], query: query() }),
      'bad-body',
      /300 characters/,
    ],
    ['no query', () => ({ support: pair(), query: [] }), 'bad-body', /query is empty/],
    [
      'a query that is no list',
      () => ({ support: pair(), query: 'abc' }),
      'bad-body',
      /query must be an array, not "abc"/,
    ],
    [
      'a query that is no base64',
      () => ({ support: pair(), query: ['%%%'] }),
      'bad-body',
      /query\[0\] must be an image in base64/,
    ],
    [
      'a query that is no image',
      () => ({ support: pair(), query: ['aGVsbG8='] }),
      'bad-image',
      /Image 0 of query: /,
    ],
    [
      'a support that is no image',
      () => ({ support: [...pair(), entry('c', Buffer.from('x'))], query: query() }),
      'bad-image',
      /Image 2 of support/,
    ],
    [
      'too many pixels',
      () => ({ support: [...pair(), entry('c', huge)], query: query() }),
      'too-large',
      /Image 2 of support.*pixels/,
    ],
    [
      'more ways than the model takes',
      () => ({ support: ['a', 'b', 'c', 'd'].map((label) => entry(label, dark)), query: query() }),
      'too-large',
      /4 classes; few-shot takes at most 3/,
    ],
    [
      'more images than the model takes',
      () => ({ support: [...pair(), ...pair(), ...pair(), ...pair()], query: query() }),
      'too-large',
      /8 images to learn from; few-shot takes at most 6/,
    ],
    [
      'hundreds of queries',
      () => ({ support: pair(), query: query(600) }),
      'too-large',
      /600 queries; few-shot takes at most 5/,
    ],
    [
      'an unknown field',
      () => ({ support: pair(), query: query(), shots: 1 }),
      'bad-body',
      /field shots/,
    ],
    [
      'an unknown field of an entry',
      () => ({ support: [{ ...pair()[0], weight: 2 }], query: query() }),
      'bad-body',
      /unknown field support\[0\]\.weight/,
    ],
    [
      'another task’s model',
      () => ({ support: pair(), query: query(), model: 'recover' }),
      'wrong-task',
      /recover is a model for sparse/,
    ],
  ])('%s', async (_, body, code, sentence) => {
    const found = await problem(() => decode(request(body()), models));
    expect([found.code, found.message]).toEqual([code, expect.stringMatching(sentence)]);
    expect(found.status).toBeLessThan(500);
  });

  it('a support file without a label', async () => {
    const parts = [{ field: 'support', file: dark }];
    const found = await problem(() => decode({ ...request({}), parts }, models));
    expect(found.message).toMatch(/Support file 0 has no label; send a field label before it/);
  });
});
