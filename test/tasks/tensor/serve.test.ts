import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { readNpy, writeNpy } from '../../../src/codecs/npy.ts';
import { tensor } from '../../../src/tasks/tensor/serve.ts';
import { answer, byName, decoderOf, manifest, problem } from '../fixtures.ts';

const decode = decoderOf(tensor);
const port = (name: string, shape: (number | string)[]) =>
  ({ name, dtype: 'float32', shape }) as const;
const one: Manifest = {
  ...manifest('one', 'tensor', ['N', 2, 3]),
  inputs: [port('x', ['N', 2, 3])],
  outputs: [port('y', ['N', 2, 3])],
};
const two: Manifest = {
  ...manifest('two', 'tensor', ['N', 2], false),
  inputs: [port('a', ['N', 2]), port('b', ['N', '2*k'])],
  outputs: [port('y', ['N', 2]), port('z', ['N', 2])],
  limits: { k: 3 },
};
const models = byName(one, two, manifest('gray', 'denoise', ['N', 1, 'h', 'w']));

const json = (value: unknown, change: { model?: string; accept?: string[] } = {}) => ({
  task: 'tensor',
  contentType: 'application/json',
  body: Buffer.from(JSON.stringify(value)),
  stopping: {},
  ...change,
});
const npy = (shape: number[], data = new Float32Array(shape.reduce((a, b) => a * b, 1))) => ({
  ...json(null),
  contentType: 'application/x-npy',
  body: writeNpy({ shape, data }),
});
const sample = [
  [1, 2, 3],
  [4, 5, 6],
];

describe('JSON', () => {
  it('gives samples, and the outputs in the shape of the inputs', async () => {
    const decoded = await decode(json({ inputs: { x: [sample, sample] } }), models);
    expect(decoded.model).toBe('one');
    expect(decoded.samples).toHaveLength(2);
    expect(decoded.samples[1]!.x).toEqual({
      data: Float32Array.of(1, 2, 3, 4, 5, 6),
      dims: [2, 3],
    });
    const { body } = await answer(decoded, 'y', ({ x }, i) => ({
      data: x!.data.map((value) => value * (i + 1)),
      dims: [2, 3],
    }));
    expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({
      model: 'one',
      outputs: {
        y: [
          sample,
          [
            [2, 4, 6],
            [8, 10, 12],
          ],
        ],
      },
      samples: [
        { depth: 4, reason: 'policy', pi: [0.1235] },
        { depth: 12, reason: 'max_depth', pi: [0.1235, 0.5] },
      ],
    });
  });

  it('of one sample without the batch dimension is answered without it', async () => {
    const decoded = await decode(json({ inputs: { x: sample } }), models);
    const { body } = await answer(decoded, 'y', ({ x }) => x!);
    expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({ outputs: { y: sample } });
  });

  it('takes several inputs, and any model by name', async () => {
    const inputs = { b: [[1, 2, 3, 4]], a: [[5, 6]] };
    const { samples } = await decode(json({ inputs, model: 'two' }), models);
    expect(samples).toEqual([
      {
        a: { data: Float32Array.of(5, 6), dims: [2] },
        b: { data: Float32Array.of(1, 2, 3, 4), dims: [4] },
      },
    ]);
    const gray = await decode(json({ model: 'gray', inputs: { image: [[[1, 2]]] } }), models);
    expect(gray.model).toBe('gray');
  });

  const row = [1, 2, 3];
  it.each<[string, object, RegExp]>([
    ['another name', { y: [sample] }, /one has no input y; its inputs are x\./],
    ['nothing', {}, /input x is missing; one takes x/],
    ['no array', { x: 3 }, /inputs\.x must be an array/],
    ['ragged rows', { x: [[row, [1, 2]]] }, /inputs\.x\[0\]\[1\] has 2 elements.* array of 3/],
    ['a number for a row', { x: [[row, 7]] }, /inputs\.x\[0\]\[1\] is 7/],
    ['a null', { x: [[row, [1, null, 2]]] }, /inputs\.x\[0\]\[1\]\[1\] must be a number, not null/],
    ['too deep a value', { x: [[row, [1, [2], 2]]] }, /\[1\]\[1\] must be a number, not an array/],
    ['an empty array', { x: [] }, /empty array/],
    ['another rank', { x: row }, /x has the shape \[3\]; it must be \[N, 2, 3\]/],
    ['another size', { x: [[row]] }, /x is \[1, 3\], not \[2, 3\]: dimension 1 must be 2/],
    ['an infinity', { x: [[row, [1, 1e39, 2]]] }, /Value 4 of x is Infinity/],
  ])('with %s is refused', async (_, inputs, message) => {
    const { code, message: found } = await problem(() => decode(json({ inputs }), models));
    expect(code).toBe('bad-body');
    expect(found).toMatch(message);
  });

  it.each<[string, object, string, RegExp]>([
    [
      'unequal batches',
      {
        a: [[1, 2]],
        b: [
          [1, 2],
          [3, 4],
        ],
      },
      'bad-body',
      /b has 2 samples and a has 1/,
    ],
    ['an odd side', { a: [[1, 2]], b: [[1, 2, 3]] }, 'bad-body', /multiple of 2/],
    ['a missing input', { a: [[1, 2]] }, 'bad-body', /input b is missing/],
    [
      'a side over its limit',
      { a: [[1, 2]], b: [[1, 2, 3, 4, 5, 6, 7, 8]] },
      'too-large',
      /k is 4; this model takes at most 3/,
    ],
  ])('with %s is refused', async (_, inputs, code, message) => {
    const found = await problem(() => decode(json({ inputs, model: 'two' }), models));
    expect(found.code).toBe(code);
    expect(found.message).toMatch(message);
  });
});

describe('.npy', () => {
  it('goes in and out in the same shape, converted to float32', async () => {
    const body = writeNpy({ shape: [1, 2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6.1) });
    const decoded = await decode({ ...npy([1, 2, 3]), body }, models);
    const { contentType, headers, body: out } = await answer(decoded, 'y', ({ x }) => x!);
    expect(contentType).toBe('application/x-npy');
    expect(headers).toMatchObject({ 'x-model': 'one', 'x-stop-depth': '4' });
    expect(readNpy(out)).toEqual({
      shape: [1, 2, 3],
      data: Float32Array.of(1, 2, 3, 4, 5, 6.1),
    });
    const bare = await decode(npy([2, 3]), models);
    expect(readNpy((await answer(bare, 'y', ({ x }) => x!)).body).shape).toEqual([2, 3]);
  });

  it('bounds samples, and the size of one whose sides are free', async () => {
    const many = await problem(() => decode(npy([4097, 2, 3]), models));
    expect([many.code, many.message]).toEqual([
      'too-large',
      expect.stringContaining('4097 samples; send at most 4096'),
    ]);
    const wide = { ...npy([1, 1, 2048, 2049]), model: 'gray' };
    expect((await problem(() => decode(wide, models))).code).toBe('too-large');
    const fits = { ...npy([1, 1, 2048, 2048]), model: 'gray' };
    expect((await decode(fits, models)).samples).toHaveLength(1);
  });

  it('needs one input, and of several outputs the one to answer with', async () => {
    const request = { ...npy([1, 2]), model: 'two' };
    expect((await problem(() => decode(request, models))).message).toMatch(/the inputs a, b/);
    const asked = json(
      { inputs: { a: [1, 2], b: [1, 2] } },
      { model: 'two', accept: ['application/x-npy'] },
    );
    expect((await problem(() => decode(asked, models))).message).toMatch(/add output=NAME/);
    const wrong = { ...asked, options: { output: 'q' } };
    expect((await problem(() => decode(wrong, models))).message).toMatch(/no output q/);
    const decoded = await decode({ ...asked, options: { output: 'z' } }, models);
    const { body } = await answer(decoded, 'z', ({ a }) => a!);
    expect(readNpy(body)).toEqual({ shape: [2], data: Float32Array.of(1, 2) });
  });

  it('that is damaged is refused', async () => {
    const damaged = { ...npy([2, 3]), body: new Uint8Array(20) };
    expect((await problem(() => decode(damaged, models))).message).toMatch(/not a \.npy array/);
  });
});

it('names the models where none is the default or the name is unknown', async () => {
  const inputs = { image: [[[1]]] };
  const gray = byName(manifest('gray', 'denoise', ['N', 1, 'h', 'w']));
  const none = await problem(() => decode(json({ inputs }), gray));
  expect([none.code, none.message]).toEqual(['unknown-model', expect.stringContaining('gray')]);
  expect((await problem(() => decode(json({ inputs, model: 'grey' }), gray))).code).toBe(
    'unknown-model',
  );
});

it('refuses a bundle whose output has the name of a stop tensor', async () => {
  const none = () => Promise.reject(new Error('no file'));
  expect(() => tensor.check({ ...one, outputs: [port('pi', ['N', 1])] }, none)).toThrow(
    /output pi/,
  );
  await tensor.check(one, none);
});
