import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../../src/codecs/npy.ts';
import type { Sample } from '../../../src/engine/types.ts';
import type { TaskRequest } from '../../../src/tasks/task.ts';
import { MOST_ROWS, sparseRecovery } from '../../../src/tasks/sparse-recovery/serve.ts';
import { answer, byName, decoderOf, manifest, problem } from '../fixtures.ts';

const M = 3;
const recover = decoderOf(sparseRecovery);
const models = byName(
  manifest('sparse-recovery', 'sparse-recovery', ['N', M]),
  manifest('denoise-gray', 'denoise', ['N', 1, 'h', 'w']),
);

const json = (value: unknown, extra: Partial<TaskRequest> = {}): TaskRequest =>
  request('application/json', Buffer.from(JSON.stringify(value)), extra);
const request = (
  contentType: string,
  body: Uint8Array,
  extra: Partial<TaskRequest> = {},
): TaskRequest => ({
  task: 'sparse-recovery',
  contentType,
  body,
  stopping: {},
  options: {},
  ...extra,
});
const npy = (shape: number[], data: Float32Array | Float64Array): TaskRequest =>
  request('application/x-npy', writeNpy({ shape, data }));
const raw = (data: Float32Array): TaskRequest =>
  request('application/octet-stream', Buffer.from(data.buffer));

const rows = async (of: TaskRequest): Promise<number[][]> =>
  (await recover(of, models)).samples.map((sample) => [...sample.measurements!.data]);
const identity = (sample: Sample) => sample.measurements!;
const parse = (body: Uint8Array): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;

describe('recover takes', () => {
  const two = [
    [1, 2, 3],
    [4, 5.5, -6],
  ];

  it.each([
    ['a JSON vector', json({ measurements: [1, 2, 3] }), [[1, 2, 3]]],
    ['JSON vectors', json({ measurements: two }), two],
    ['raw float32', raw(Float32Array.from(two.flat())), two],
    ['a .npy vector', npy([3], Float32Array.of(1, 2, 3)), [[1, 2, 3]]],
    ['a .npy of vectors', npy([2, 3], Float32Array.from(two.flat())), two],
    ['a .npy of float64', npy([2, 3], Float64Array.from(two.flat())), two],
  ])('%s', async (_, of, expected) => {
    expect(await rows(of)).toEqual(expected);
    const { model, samples } = await recover(of, models);
    expect(model).toBe('sparse-recovery');
    expect(samples[0]!.measurements!.dims).toEqual([M]);
  });

  it('as many rows as it says', async () => {
    expect((await rows(raw(new Float32Array(M * MOST_ROWS)))).length).toBe(MOST_ROWS);
  });

  it('model and stopping in JSON, which count before those of the query', async () => {
    const decoded = await recover(
      json(
        {
          measurements: [1, 2, 3],
          model: 'sparse-recovery',
          stopping: { depth: 8, rule: 'fixed' },
        },
        { model: 'denoise-gray', stopping: { rule: 'threshold', deadlineMs: 5 } },
      ),
      models,
    );
    expect(decoded.stopping).toEqual({ rule: 'fixed', depth: 8, deadlineMs: 5 });
  });
});

describe('recover answers', () => {
  it('JSON with each signal and its depth', async () => {
    const decoded = await recover(
      json({
        measurements: [
          [1, 0.1, -0],
          [4, 1e-20, 6],
        ],
      }),
      models,
    );
    const { contentType, body } = await answer(decoded, 'signal', identity, 11);
    expect(contentType).toMatch(/^application\/json/);
    expect(parse(body)).toEqual({
      model: 'sparse-recovery',
      max_depth: 12,
      seed: 11,
      timing: { queue_ms: 1.235, compute_ms: 20, total_ms: 25.5 },
      signals: [
        [1, 0.1, 0],
        [4, 1e-20, 6],
      ],
      samples: [
        { depth: 4, reason: 'policy', pi: [0.1235] },
        { depth: 12, reason: 'max_depth', pi: [0.1235, 0.5] },
      ],
    });
  });

  it('JSON numbers that are exactly the float32 of the signal, in at most nine digits', async () => {
    const number = fc.float({ noNaN: true, noDefaultInfinity: true });
    await fc.assert(
      fc.asyncProperty(fc.array(number, { minLength: M, maxLength: M }), async (values) => {
        const decoded = await recover(json({ measurements: [0, 0, 0] }), models);
        const data = Float32Array.from(values);
        const { body } = await answer(decoded, 'signal', () => ({ data, dims: [M] }));
        const text = new TextDecoder().decode(body);
        const back = (parse(body).signals as number[][])[0]!;
        expect(Float32Array.from(back)).toEqual(data.map((value) => value + 0));
        for (const digits of /"signals":\[\[(.*?)\]\]/.exec(text)![1]!.split(',')) {
          expect(
            digits.replace(/e.*|[-.]/g, '').replace(/^0+|0+$/g, '').length,
          ).toBeLessThanOrEqual(9);
        }
      }),
    );
  });

  it('the type that was sent, or the one asked for, with the depth in headers', async () => {
    const vectors = Float32Array.of(1, 2, 3, 4, 5, 6);
    const plain = await answer(await recover(raw(vectors), models), 'signal', identity);
    expect(plain.contentType).toBe('application/octet-stream');
    expect(new Float32Array(Uint8Array.from(plain.body).buffer)).toEqual(vectors);
    expect(plain.headers).toMatchObject({
      'x-stop-depth': '12',
      'x-stop-depth-mean': '8',
      'x-stop-reason': 'max_depth',
      'x-model': 'sparse-recovery',
    });

    const array = await answer(await recover(npy([2, 3], vectors), models), 'signal', identity);
    expect(array.contentType).toBe('application/x-npy');
    expect(readNpy(array.body)).toEqual({ shape: [2, 3], data: vectors });
    expect(
      readNpy(
        (await answer(await recover(npy([3], vectors.subarray(0, 3)), models), 'signal', identity))
          .body,
      ).shape,
    ).toEqual([3]);

    const asked = await answer(
      await recover(
        { ...json({ measurements: [1, 2, 3] }), accept: ['application/x-npy'] },
        models,
      ),
      'signal',
      identity,
    );
    expect(readNpy(asked.body)).toEqual({ shape: [3], data: Float32Array.of(1, 2, 3) });
    const told = await answer(
      await recover({ ...raw(vectors), accept: ['application/json'] }, models),
      'signal',
      identity,
    );
    expect(parse(told.body).signals).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });
});

describe('recover refuses', () => {
  const body = (text: string): TaskRequest => request('application/json', Buffer.from(text));

  it.each([
    ['no body', body(''), 'bad-body', /not JSON/],
    ['JSON that is not JSON', body('{"measurements": [1, NaN, 2]}'), 'bad-body', /not JSON/],
    [
      'bytes that are not UTF-8',
      request('application/json', Uint8Array.of(0x22, 0xff, 0x22)),
      'bad-body',
      /not JSON/,
    ],
    ['an array', json([1, 2, 3]), 'bad-body', /must be a JSON object \{measurements/],
    ['no measurements', json({}), 'bad-measurements', /needs measurements/],
    ['an unknown key', json({ measurements: [1, 2, 3], seed: 4 }), 'bad-body', /field seed/],
    [
      'an unknown stopping key',
      json({ measurements: [1, 2, 3], stopping: { dpeth: 4 } }),
      'bad-parameter',
      /"dpeth"/,
    ],
    [
      'a model that is no string',
      json({ measurements: [1, 2, 3], model: 4 }),
      'bad-parameter',
      /model must be a string/,
    ],
    [
      'an unknown model',
      json({ measurements: [1, 2, 3], model: 'lista' }),
      'unknown-model',
      /no model lista.*sparse-recovery/,
    ],
    [
      'a model of another task',
      json({ measurements: [1, 2, 3], model: 'denoise-gray' }),
      'wrong-task',
      /denoise-gray is a model for denoise/,
    ],
    [
      'a wrong length',
      json({ measurements: [1, 2] }),
      'bad-measurements',
      /has 2 measurements; this model takes 3/,
    ],
    [
      'a wrong length in one row',
      json({
        measurements: [
          [1, 2, 3],
          [1, 2, 3, 4],
        ],
      }),
      'bad-measurements',
      /Vector 1 has 4 .* takes 3/,
    ],
    ['0 rows', json({ measurements: [] }), 'bad-measurements', /empty/],
    ['an empty row', json({ measurements: [[]] }), 'bad-measurements', /has 0 measurements/],
    [
      'a row among numbers',
      json({ measurements: [[1, 2, 3], 4] }),
      'bad-measurements',
      /measurements\[0\] must be a number, not an array/,
    ],
    [
      'rows within rows',
      json({ measurements: [[[1], 2, 3]] }),
      'bad-measurements',
      /measurements\[0\]\[0\] must be a number, not an array/,
    ],
    [
      'null',
      json({ measurements: [1, null, 3] }),
      'bad-measurements',
      /measurements\[1\] must be a number, not null/,
    ],
    [
      'text',
      json({ measurements: [1, '2', 3] }),
      'bad-measurements',
      /measurements\[1\] must be a number, not "2"/,
    ],
    [
      'infinity',
      body('{"measurements": [1, 1e999, 3]}'),
      'bad-measurements',
      /measurements\[1\] must be a number, not Infinity/,
    ],
    [
      'beyond float32',
      body('{"measurements": [1, 1e39, 3]}'),
      'bad-measurements',
      /finite float32/,
    ],
    [
      'a string',
      json({ measurements: 'AAAA' }),
      'bad-measurements',
      /must be an array, not "AAAA"/,
    ],
    [
      '100,000 rows',
      json({ measurements: new Array<number[]>(100_000).fill([1, 2, 3]) }),
      'too-large',
      /100000 vectors; send at most 4096/,
    ],
    [
      'an empty raw body',
      raw(new Float32Array(0)),
      'bad-measurements',
      /0 bytes.*3 little-endian float32, 12 bytes/,
    ],
    ['a raw body of no multiple', raw(new Float32Array(4)), 'bad-measurements', /16 bytes/],
    [
      'raw NaN',
      raw(Float32Array.of(1, 2, 3, 4, NaN, 6)),
      'bad-measurements',
      /Measurement 1 of vector 1 is NaN/,
    ],
    ['too many raw rows', raw(new Float32Array(M * (MOST_ROWS + 1))), 'too-large', /4097/],
    [
      'no .npy file',
      request('application/x-npy', Buffer.from('hello')),
      'bad-measurements',
      /not a \.npy array that can be read\. It does not begin/,
    ],
    [
      'a .npy of another length',
      npy([2, 4], new Float32Array(8)),
      'bad-measurements',
      /\(2, 4\); it must be \(3,\) or \(N, 3\)/,
    ],
    [
      'a .npy that looks transposed',
      npy([3, 2], new Float32Array(6)),
      'bad-measurements',
      /\(3, 2\).*transposed: send its \.T/,
    ],
    ['a .npy of rank 3', npy([1, 1, 3], new Float32Array(3)), 'bad-measurements', /\(1, 1, 3\)/],
    ['a .npy number', npy([], new Float32Array(1)), 'bad-measurements', /shape is \(\)/],
    ['a .npy of 0 rows', npy([0, 3], new Float32Array(0)), 'bad-measurements', /empty/],
    [
      'a .npy with infinity',
      npy([3], Float32Array.of(1, 2, -Infinity)),
      'bad-measurements',
      /-Infinity/,
    ],
    [
      'a .npy beyond float32',
      npy([3], Float64Array.of(1, 2, 1e300)),
      'bad-measurements',
      /finite float32/,
    ],
  ])('%s', async (_, of, code, sentence) => {
    const found = await problem(() => recover(of, models));
    expect([found.code, found.message]).toEqual([code, expect.stringMatching(sentence)]);
    expect(found.message).not.toMatch(/\.\.$/);
  });
});
