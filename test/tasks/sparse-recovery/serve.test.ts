import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readNpy } from '../../../src/codecs/npy.ts';
import type { Sample } from '../../../src/engine/types.ts';
import { MOST_ROWS } from '../../../src/tasks/sparse-recovery/serve.ts';
import type { TaskRequest } from '../../../src/tasks/task.ts';
import { answer } from '../fixtures.ts';
import { json, M, models, npy, raw, recover } from './requests.ts';

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
