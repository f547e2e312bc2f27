/** The Open Inference Protocol over REST, through the whole service: inference. */
import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpy } from '../../../src/codecs/npy.ts';
import type { SmallService } from '../support.ts';
import { jsonInput, N, requestsTo, rows, startWithBroken } from './support.ts';

let service: SmallService;
beforeAll(async () => {
  service = await startWithBroken();
});
afterAll(() => service.close());

const { infer } = requestsTo(() => service);
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

  it('compresses large JSON answers for clients that accept it, and no binary ones', async () => {
    const data = Array.from({ length: 12 * 200 }, (_, i) => Math.sin(i));
    const inputs = [{ ...jsonInput, shape: [200, 12], data }];
    const accept = { 'content-type': 'application/json', 'accept-encoding': 'gzip' };
    const packed = await infer(Buffer.from(JSON.stringify({ inputs })), accept);
    expect(packed.headers['content-encoding']).toBe('gzip');
    const answer = JSON.parse(gunzipSync(packed.rawPayload).toString()) as Answer;
    expect(dataOf(answer, 'depth')).toHaveLength(200);
    const parameters = { binary_data_output: true };
    const bytes = await infer(Buffer.from(JSON.stringify({ inputs, parameters })), accept);
    expect(bytes.headers).not.toHaveProperty('content-encoding');
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
    [
      'a negative side',
      { inputs: [{ ...jsonInput, shape: [-3, 12] }] },
      /^inputs\[0\]\.shape\[0\] must be >= 1, not -3\.$/,
    ],
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
