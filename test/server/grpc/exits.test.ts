/** ModelStreamInfer with `exits`: an answer at every exit, then the result. */
import { connect } from 'node:http2';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Random } from '../../../src/data/random.ts';
import type { GrpcServer } from '../../../src/server/grpc/server.ts';
import { inferenceService } from '../../../src/tasks/open-inference/grpc-messages.ts';
import { smallModels, writeModels } from '../../support/small.ts';
import { startSmallService, type SmallService } from '../support.ts';
import { startSmallGrpc, type Client } from './support.ts';

interface Parameter {
  parameter_choice: string;
  [field: string]: unknown;
}
interface Response {
  id: string;
  parameters: Record<string, Parameter>;
  outputs: { name: string; shape: number[] }[];
  raw_output_contents: Buffer[];
}
interface Answer {
  error_message?: string;
  infer_response?: Response;
}

let service: SmallService;
let server: GrpcServer;
let client: Client;
beforeAll(async () => {
  service = await startSmallService();
  ({ server, client } = await startSmallGrpc(service));
});
afterAll(async () => {
  client.close();
  await server.close();
  await service.close();
});

const N = 3;
const rows = new Float32Array(N * 12);
new Random(4).fillNormal(rows, 1);
const request = (id: string, parameters: object) => ({
  model_name: 'small-recovery',
  id,
  parameters,
  inputs: [{ name: 'measurements', datatype: 'FP32', shape: [N, 12] }],
  raw_input_contents: [Buffer.from(rows.buffer)],
});

function answersTo(requests: readonly object[], of = client): Promise<Answer[]> {
  const { path, requestSerialize, responseDeserialize } = inferenceService.ModelStreamInfer!;
  const stream = of.makeBidiStreamRequest<object, Answer>(
    path,
    requestSerialize as (value: object) => Buffer,
    responseDeserialize as (bytes: Buffer) => Answer,
  );
  const answers: Answer[] = [];
  stream.on('data', (answer: Answer) => answers.push(answer));
  for (const one of requests) stream.write(one);
  stream.end();
  return new Promise((resolve, reject) => {
    stream.on('end', () => resolve(answers));
    stream.on('error', reject);
  });
}

const valueOf = ({ parameters }: Response, name: string): unknown => {
  const parameter = parameters[name];
  return parameter?.[parameter.parameter_choice];
};
const floats = (bytes: Buffer) => [...new Float32Array(Uint8Array.from(bytes).buffer)];

it('answers at every exit of every sample, then once for all', async () => {
  const follow = { exits: { bool_param: true }, threshold: { double_param: 0.5 } };
  const answers = await answersTo([
    request('a', follow),
    request('b', { depth: { int64_param: 1 } }),
  ]);
  const own = answers.map((answer) => answer.infer_response!).filter(({ id }) => id === 'a');
  const last = own.pop()!;
  expect(valueOf(last, 'triton_final_response')).toBe(true);
  const depths = new Int32Array(Uint8Array.from(last.raw_output_contents[1]!).buffer);
  const signals = floats(last.raw_output_contents[0]!);
  for (const [sample, depth] of depths.entries()) {
    const exits = own.filter((one) => valueOf(one, 'sample') === sample);
    expect(exits.map((one) => valueOf(one, 'depth'))).toEqual(
      Array.from({ length: depth }, (_, i) => i + 1),
    );
    expect(exits.map((one) => valueOf(one, 'triton_final_response'))).not.toContain(true);
    const stop = exits.at(-1)!;
    expect(valueOf(stop, 'stopped')).toBe(true);
    expect(stop.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['signal', [1, 24]],
      ['depth', [1]],
    ]);
    expect(floats(stop.raw_output_contents[0]!)).toEqual(
      signals.slice(24 * sample, 24 * sample + 24),
    );
    if (depth > 1) expect(valueOf(exits[0]!, 'pi')).toBeLessThanOrEqual(0.5);
  }
  const other = answers.filter((answer) => answer.infer_response!.id === 'b');
  expect(other).toHaveLength(1);
  expect(other[0]!.infer_response!.parameters.triton_final_response).toBeUndefined();
});

it('names the tolerance that an exit keeps, as events do, and whole numbers as doubles', async () => {
  const row = (tolerance: number, threshold: number) => ({
    ...{ tolerance, threshold, share: 0.99, bound: 0.95, n: 2000 },
    ...{ mean_depth: 3, ms: 1, guaranteed: true },
  });
  const calibration = { unit: 'dB' as const, default: 1, data: 'drawn', rows: [row(1, 0.4)] };
  const recovery = smallModels().find(({ name }) => name === 'small-recovery')!;
  const certified = await startSmallService({
    modelsDir: await writeModels([{ ...recovery, change: { calibration } }]),
  });
  const grpc = await startSmallGrpc(certified);
  const follow = { exits: { bool_param: true }, threshold: { double_param: 1 } };
  const full = (await answersTo([request('a', follow)], grpc.client)).slice(0, -1);
  const [usual] = await answersTo([request('b', {})], grpc.client);
  grpc.client.close();
  await grpc.server.close();
  await certified.close();
  const { parameters, raw_output_contents } = usual!.infer_response!;
  expect(parameters.tolerance).toMatchObject({ parameter_choice: 'double_param', double_param: 1 });
  const depths = new Int32Array(Uint8Array.from(raw_output_contents[1]!).buffer);
  expect(new Set(depths).size).toBeGreaterThan(1);
  for (const { infer_response } of full) {
    const [sample, depth] = ['sample', 'depth'].map((name) => valueOf(infer_response!, name));
    const stopsHere = depths[Number(sample)] === depth;
    expect(infer_response!.parameters.tolerance?.double_param).toBe(stopsHere ? 1 : undefined);
    expect(infer_response!.parameters.threshold?.int64_param).toBeUndefined();
  }
});

it('is refused where there is one answer only, or it is no truth value', async () => {
  const [wrong] = await answersTo([request('a', { exits: { string_param: 'yes' } })]);
  expect(wrong!.error_message).toMatch(/exits must be true or false/);
  const rest = await service.app.inject({
    method: 'POST',
    url: '/v2/models/small-recovery/infer',
    payload: {
      inputs: [{ name: 'measurements', datatype: 'FP32', shape: [1, 12], data: Array(12).fill(0) }],
      parameters: { exits: true },
    },
  });
  expect(rest.json()).toEqual({ error: 'exits goes with ModelStreamInfer over gRPC.' });
});

it('ends a stream whose client sends requests and reads no answers', async () => {
  let answered = 0;
  const bounded = await startSmallGrpc(service, {
    maxUnreadBytes: 1,
    maxBodyBytes: 1_000_000,
    requestLog: { share: 1, write: () => answered++ },
  });
  const { path, requestSerialize } = inferenceService.ModelStreamInfer!;
  // The library of the other tests reads ahead; this client takes what its window of 64 KiB holds.
  const session = connect(`http://127.0.0.1:${bounded.server.port}`);
  const call = session.request({
    ...{ ':method': 'POST', ':path': path },
    ...{ 'content-type': 'application/grpc', te: 'trailers' },
  });
  const ROWS = 4_000;
  const message = (requestSerialize as (value: object) => Buffer)({
    ...request('large', {}),
    inputs: [{ name: 'measurements', datatype: 'FP32', shape: [ROWS, 12] }],
    raw_input_contents: [Buffer.alloc(4 * ROWS * 12)],
  });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  // Three answers of half a megabyte wait before the fourth request.
  for (let i = 1; i <= 3; i++) {
    call.write(Buffer.concat([head, message]));
    await expect.poll(() => answered, { timeout: 10_000 }).toBe(i);
  }
  call.write(Buffer.concat([head, message]));
  const trailers = new Promise((resolve) => call.once('trailers', resolve));
  let read = 0;
  call.on('data', (bytes: Buffer) => (read += bytes.length));
  expect(await trailers).toMatchObject({ 'grpc-status': '8' });
  expect(read).toBeGreaterThan(1_000_000);
  expect(read).toBeLessThan(2_500_000);
  session.destroy();
  bounded.client.close();
  await bounded.server.close();
});
