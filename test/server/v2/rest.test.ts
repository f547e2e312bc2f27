/** The Open Inference Protocol over REST, through the whole service. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpy } from '../../../src/codecs/npy.ts';
import { Random } from '../../../src/data/random.ts';
import { smallFewShot, smallModels, writeModels } from '../../support/small.ts';
import { startSmallService, type SmallService } from '../support.ts';

let service: SmallService;
beforeAll(async () => {
  const modelsDir = await writeModels([...smallModels(), smallFewShot()]);
  await mkdir(join(modelsDir, 'broken'));
  await writeFile(join(modelsDir, 'broken', 'manifest.json'), '{}');
  service = await startSmallService({ modelsDir });
});
afterAll(() => service.close());

const N = 3;
const rows = new Float32Array(N * 12);
new Random(4).fillNormal(rows, 1);
const bytesOf = (data: Float32Array) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
  data?: unknown[];
  parameters?: { binary_data_size: number };
}
interface Answer {
  model_name: string;
  model_version: string;
  id?: string;
  parameters: Record<string, unknown>;
  outputs: Tensor[];
}
const dataOf = ({ outputs }: Answer, name: string): unknown =>
  outputs.find((output) => output.name === name)?.data;

const get = (url: string) => service.app.inject(url);
const infer = (
  payload: object | Buffer,
  headers: Record<string, string> = {},
  model = 'small-recovery',
) => service.app.inject({ method: 'POST', url: `/v2/models/${model}/infer`, payload, headers });
const jsonInput = {
  name: 'measurements',
  shape: [N, 12],
  datatype: 'FP32',
  data: Array.from(rows),
};
const binaryInput = {
  ...jsonInput,
  data: undefined,
  parameters: { binary_data_size: rows.byteLength },
};
/** A body of JSON and tensors, with the header that says where the JSON ends. */
function binary(json: object, ...tensors: Float32Array[]) {
  const head = Buffer.from(JSON.stringify(json));
  return [
    Buffer.concat([head, ...tensors.map(bytesOf)]),
    { 'inference-header-content-length': String(head.length) },
  ] as const;
}
/** Splits a binary answer into its JSON and the bytes of its tensors. */
function split(response: { headers: Record<string, unknown>; rawPayload: Buffer }) {
  const length = Number(response.headers['inference-header-content-length']);
  const json = JSON.parse(response.rawPayload.subarray(0, length).toString()) as Answer;
  let start = length;
  const tensors = new Map(
    json.outputs.map(({ name, parameters }) => {
      const end = start + (parameters?.binary_data_size ?? 0);
      const part = response.rawPayload.subarray(start, end);
      start = end;
      return [name, part];
    }),
  );
  expect(start).toBe(response.rawPayload.length);
  return { json, tensors };
}

describe('infer', () => {
  it.each(['', 'rule=fixed&depth=2', 'threshold=0.3', 'rule=sample&seed=9', 'max_depth=4'])(
    'agrees with /v1: %s',
    async (query) => {
      const v1 = await service.app.inject({
        method: 'POST',
        url: `/v1/recover?${query}`,
        headers: { 'content-type': 'application/x-npy', accept: 'application/json' },
        payload: Buffer.from(writeNpy({ shape: [N, 12], data: rows })),
      });
      const expected = v1.json<{
        signals: number[][];
        samples: { depth: number; reason: string; pi: number[] }[];
      }>();
      // As clients send fractions that take texts alone.
      const parameters = Object.fromEntries(new URLSearchParams(query));
      const answer = (await infer({ id: 'a7', inputs: [jsonInput], parameters })).json<Answer>();
      expect(answer).toMatchObject({
        model_name: 'small-recovery',
        model_version: '1',
        id: 'a7',
        parameters: { max_depth: 5 },
      });
      expect(answer.outputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([
        ['signal', 'FP32', [N, 24]],
        ['depth', 'INT32', [N]],
        ['pi', 'FP32', [N, 5]],
        ['reason', 'BYTES', [N]],
      ]);
      expect(dataOf(answer, 'signal')).toEqual(expected.signals.flat());
      expect(dataOf(answer, 'depth')).toEqual(expected.samples.map(({ depth }) => depth));
      expect(dataOf(answer, 'reason')).toEqual(expected.samples.map(({ reason }) => reason));
      const pi = dataOf(answer, 'pi') as number[];
      expected.samples.forEach((sample, i) => {
        const row = pi.slice(i * 5, i * 5 + 5);
        row.forEach((value, exit) => {
          const wanted = sample.pi[exit];
          if (wanted === null || wanted === undefined) expect(value).toBe(-1);
          else expect(value).toBeCloseTo(wanted, 3);
        });
      });
    },
  );

  it('takes and gives binary tensors, compressed or not, with the numbers of JSON', async () => {
    const plain = (await infer({ inputs: [jsonInput] })).json<Answer>();
    const [body, headers] = binary(
      { inputs: [binaryInput], parameters: { binary_data_output: true } },
      rows,
    );
    for (const [encoding, payload] of [
      ['identity', body],
      ['gzip', gzipSync(body)],
      ['deflate', deflateSync(body)],
    ] as const) {
      const response = await infer(payload, { ...headers, 'content-encoding': encoding });
      expect(response.headers['content-type']).toBe('application/octet-stream');
      const { json, tensors } = split(response);
      expect(json.outputs.every(({ data }) => data === undefined)).toBe(true);
      const signal = new Float32Array(Uint8Array.from(tensors.get('signal')!).buffer);
      expect(signal).toEqual(Float32Array.from(dataOf(plain, 'signal') as number[]));
      const depth = new Int32Array(Uint8Array.from(tensors.get('depth')!).buffer);
      expect([...depth]).toEqual(dataOf(plain, 'depth'));
      const texts = (dataOf(plain, 'reason') as string[]).flatMap((text) => [
        Buffer.from(Uint32Array.of(text.length).buffer),
        Buffer.from(text),
      ]);
      expect(tensors.get('reason')).toEqual(Buffer.concat(texts));
    }
  });

  it('mixes JSON and binary per output, and gives the outputs in the order asked for', async () => {
    const response = await infer({
      inputs: [jsonInput],
      outputs: [
        { name: 'depth', parameters: { binary_data: false } },
        { name: 'signal', parameters: { binary_data: true } },
      ],
    });
    const { json, tensors } = split(response);
    expect(json.outputs.map(({ name }) => name)).toEqual(['depth', 'signal']);
    expect(json.outputs[0]!.data).toHaveLength(N);
    expect(tensors.get('signal')).toHaveLength(4 * 24 * N);
  });

  it('takes a body without JSON where the header is 0', async () => {
    const raw = await infer(bytesOf(rows), { 'inference-header-content-length': '0' });
    const plain = await infer({ inputs: [jsonInput] });
    expect(dataOf(raw.json<Answer>(), 'signal')).toEqual(dataOf(plain.json<Answer>(), 'signal'));
  });

  it('serves models with several inputs and free sides', async () => {
    const fill = (shape: number[], value: number) => ({
      shape,
      datatype: 'FP32',
      data: new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(value),
    });
    const images = await infer(
      { inputs: [{ name: 'image', ...fill([2, 1, 4, 6], 0.5) }], parameters: { depth: 2 } },
      {},
      'small-gray',
    );
    expect(images.json<Answer>().outputs[0]).toMatchObject({
      name: 'denoised',
      shape: [2, 1, 4, 6],
    });
    const labels = { name: 'labels', shape: [1, 2, 2], datatype: 'FP32', data: [1, 0, 0, 1] };
    const few = await infer(
      {
        inputs: [
          labels,
          { name: 'query', ...fill([1, 3, 1, 8, 8], 0.2) },
          { name: 'support', ...fill([1, 2, 1, 8, 8], 0.9) },
        ],
      },
      {},
      'small-few-shot',
    );
    expect(few.json<Answer>().outputs[0]).toMatchObject({ name: 'logits', shape: [1, 3, 2] });
  });

  const bad: [string, object, RegExp][] = [
    ['no inputs', {}, /needs inputs/],
    ['an unknown field', { inputs: [jsonInput], paramters: {} }, /unknown field/],
    ['an unknown input', { inputs: [{ ...jsonInput, name: 'x' }] }, /no input x/],
    [
      'another datatype',
      { inputs: [{ ...jsonInput, datatype: 'INT64' }] },
      /INT64; models take FP32/,
    ],
    ['another shape', { inputs: [{ ...jsonInput, shape: [12, 3] }] }, /is \[3\], not \[12\]/],
    [
      'a shape of other size',
      { inputs: [{ ...jsonInput, shape: [2, 12] }] },
      /36 values.*takes 24/,
    ],
    ['a negative side', { inputs: [{ ...jsonInput, shape: [-3, 12] }] }, /inputs\[0\]\.shape\[0\]/],
    ['neither data nor size', { inputs: [{ ...jsonInput, data: undefined }] }, /needs either data/],
    ['a size beyond the body', { inputs: [binaryInput] }, /0 bytes are left/],
    [
      'an unknown output',
      { inputs: [jsonInput], outputs: [{ name: 'q' }] },
      /no output q; its outputs are signal, depth/,
    ],
    [
      'an output twice',
      { inputs: [jsonInput], outputs: [{ name: 'pi' }, { name: 'pi' }] },
      /asked for twice/,
    ],
    [
      'classification',
      { inputs: [jsonInput], outputs: [{ name: 'pi', parameters: { classification: 3 } }] },
      /no classification/,
    ],
    [
      'an unknown parameter',
      { inputs: [jsonInput], parameters: { sequence_id: 4 } },
      /no stopping parameter "sequence_id"/,
    ],
    [
      'a depth that is no exit',
      { inputs: [jsonInput], parameters: { depth: 77 } },
      /depth=77 is not an exit/,
    ],
    [
      'tolerance without a table',
      { inputs: [jsonInput], parameters: { tolerance: 0.1 } },
      /no calibration table/,
    ],
  ];
  it.each(bad)('with %s is a 400 that says so', async (_, body, message) => {
    const response = await infer(body);
    expect(response.statusCode).toBe(400);
    expect(Object.keys(response.json<object>())).toEqual(['error']);
    expect(response.json<{ error: string }>().error).toMatch(message);
  });

  it.each([
    ['1000000', /is 1000000, but the body has/],
    ['-1', /must be a whole number/],
    ['some', /must be a whole number/],
  ])('with the header %s is a 400', async (length, message) => {
    const response = await infer(bytesOf(rows), { 'inference-header-content-length': length });
    expect(response.statusCode).toBe(400);
    expect(response.json<{ error: string }>().error).toMatch(message);
  });

  it('refuses bytes that no tensor claims, bodies that are too large, empty or damaged', async () => {
    const [body, headers] = binary({ inputs: [binaryInput] }, rows, rows);
    const status = async (...request: Parameters<typeof infer>) => {
      const response = await infer(...request);
      expect(response.json<{ error: string }>().error).toBeTypeOf('string');
      return response.statusCode;
    };
    expect(await status(body, headers)).toBe(400);
    expect(await status(Buffer.alloc(0))).toBe(400);
    expect(await status(Buffer.from('{'))).toBe(400);
    expect(await status(body, { ...headers, 'content-encoding': 'gzip' })).toBe(400);
    expect(await status(Buffer.alloc(4_000_001))).toBe(413);
    expect(await status({ inputs: [jsonInput] }, {}, 'nobody')).toBe(404);
    expect(await status({ inputs: [jsonInput] }, {}, 'broken')).toBe(503);
    expect(await status({ inputs: [jsonInput] }, {}, 'small-recovery/versions/7')).toBe(404);
  });

  it('takes a timeout in microseconds for deadline_ms', async () => {
    const answer = (
      await infer({ inputs: [jsonInput], parameters: { timeout: 1, threshold: 1 } })
    ).json<Answer>();
    expect(dataOf(answer, 'reason')).toEqual(new Array(N).fill('deadline'));
  });
});

describe('models and server', () => {
  it('describe themselves', async () => {
    expect((await get('/v2')).json()).toMatchObject({ name: 'stopwise', version: 'test' });
    expect((await get('/v2/models/small-recovery/versions/1')).json()).toEqual({
      name: 'small-recovery',
      versions: ['1'],
      platform: 'stopwise_onnx',
      inputs: [{ name: 'measurements', datatype: 'FP32', shape: [-1, 12] }],
      outputs: [
        { name: 'signal', datatype: 'FP32', shape: [-1, 24] },
        { name: 'depth', datatype: 'INT32', shape: [-1] },
        { name: 'pi', datatype: 'FP32', shape: [-1, 5] },
        { name: 'reason', datatype: 'BYTES', shape: [-1] },
      ],
    });
    expect((await get('/v2/models/small-gray')).json()).toMatchObject({
      inputs: [{ shape: [-1, 1, -1, -1] }],
    });
    expect((await get('/v2/models/small-recovery/config')).json()).toMatchObject({
      max_batch_size: 4096,
      input: [{ name: 'measurements', data_type: 'TYPE_FP32', dims: [12] }],
      parameters: { exits: { string_value: '1,2,3,4,5' } },
    });
  });

  it('are live and ready, until the service drains', async () => {
    const codes = async () =>
      Promise.all(
        ['health/live', 'health/ready', 'models/small-gray/ready', 'models/x/ready'].map(
          async (path) => (await get(`/v2/${path}`)).statusCode,
        ),
      );
    expect(await codes()).toEqual([200, 200, 200, 404]);
    service.state.draining = true;
    expect(await codes()).toEqual([200, 503, 503, 404]);
    service.state.draining = false;
  });

  it('are listed, refused ones with the reason', async () => {
    const index = async (payload?: object) =>
      (
        await service.app.inject({
          method: 'POST',
          url: '/v2/repository/index',
          ...(payload && { payload }),
        })
      ).json<{ name: string; state: string; reason: string }[]>();
    const all = await index();
    expect(all.find(({ name }) => name === 'small-gray')).toMatchObject({ state: 'READY' });
    expect(all.find(({ name }) => name === 'broken')).toMatchObject({
      state: 'UNAVAILABLE',
      reason: expect.stringContaining('manifest.json'),
    });
    expect((await index({ ready: true })).map(({ name }) => name)).not.toContain('broken');
    const load = await service.app.inject({
      method: 'POST',
      url: '/v2/repository/models/small-gray/load',
    });
    expect([load.statusCode, load.json()]).toEqual([
      400,
      { error: 'This service does not load models on request.' },
    ]);
  });

  it('count samples, batches and failures of all doors', async () => {
    interface Stats {
      inference_count: number;
      execution_count: number;
      last_inference: number;
      inference_stats: Record<string, { count: number; ns: number }>;
      batch_stats: { batch_size: number; compute_infer: { count: number; ns: number } }[];
    }
    const stats = async () => {
      const { model_stats } = (await get('/v2/models/small-color/stats')).json<{
        model_stats: Stats[];
      }>();
      return model_stats[0]!;
    };
    expect((await stats()).inference_count).toBe(0);
    const image = {
      name: 'image',
      datatype: 'FP32',
      shape: [2, 3, 4, 4],
      data: new Array(96).fill(0.1),
    };
    await infer({ inputs: [image] }, {}, 'small-color');
    await infer({ inputs: [] }, {}, 'small-color');
    await service.app.inject({
      method: 'POST',
      url: '/v1/tensor?model=small-color',
      payload: {
        inputs: {
          image: [
            [
              [
                [1, 1],
                [1, 1],
              ],
              [
                [1, 1],
                [1, 1],
              ],
              [
                [1, 1],
                [1, 1],
              ],
            ],
          ],
        },
      },
    });
    const { inference_count, execution_count, inference_stats, batch_stats, last_inference } =
      await stats();
    expect(inference_count).toBe(3);
    expect(inference_stats.success!.count).toBe(2);
    expect(inference_stats.success!.ns).toBeGreaterThan(inference_stats.queue!.ns);
    expect(inference_stats.fail!.count).toBe(1);
    expect(execution_count).toBeGreaterThanOrEqual(2);
    expect(execution_count).toBeLessThanOrEqual(3);
    expect(batch_stats.some(({ compute_infer }) => compute_infer.ns > 0)).toBe(true);
    expect(Date.now() - last_inference).toBeLessThan(60_000);
    expect(
      (await get('/v2/models/stats')).json<{ model_stats: unknown[] }>().model_stats,
    ).toHaveLength(4);
  });

  it('answer unknown paths and methods in the form of the protocol', async () => {
    const missing = await get('/v2/nothing');
    expect([missing.statusCode, Object.keys(missing.json<object>())]).toEqual([404, ['error']]);
    const method = await get('/v2/models/small-gray/infer');
    expect([method.statusCode, method.headers.allow]).toEqual([405, 'POST']);
    const v1 = await get('/v1/nothing');
    expect(v1.headers['content-type']).toBe('application/problem+json');
  });

  it('are in the OpenAPI document, each operation with a name of its own', async () => {
    const { paths } = (await get('/openapi.json')).json<{
      paths: Record<string, Record<string, { operationId?: string }>>;
    }>();
    expect(Object.keys(paths)).toContain('/v2/models/{model}/versions/{version}/infer');
    const ids = Object.values(paths)
      .flatMap((path) => Object.values(path))
      .flatMap(({ operationId }) => operationId ?? []);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
