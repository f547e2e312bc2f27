/** The task `tensor` through the whole service: every stop rule, batches, metrics, and the same answers as another task's route. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../src/codecs/npy.ts';
import { Random } from '../../src/data/random.ts';
import { smallModels, smallRecognize, writeModels } from '../support/small.ts';
import { startSmallService, type SmallService } from './support.ts';

let service: SmallService;
beforeAll(async () => {
  const [recovery, gray] = smallModels();
  const change = { task: 'tensor', task_files: [] };
  service = await startSmallService({
    modelsDir: await writeModels([
      { ...recovery!, name: 'plain', change },
      { ...smallRecognize(), name: 'classes', change: { ...change, default: false } },
      recovery!,
      gray!,
    ]),
  });
});
afterAll(() => service.close());

const rows = new Float32Array(3 * 12);
new Random(4).fillNormal(rows, 1);
const body = Buffer.from(writeNpy({ shape: [3, 12], data: rows }));
const post = (query: string, route = 'tensor', accept = 'application/json') =>
  service.app.inject({
    method: 'POST',
    url: `/v1/${route}${query}`,
    headers: { 'content-type': 'application/x-npy', accept },
    payload: body,
  });
interface Answer {
  samples: { depth: number; reason: string; pi: (number | null)[] }[];
  outputs: Record<string, number[][]>;
  signals: number[][];
  seed?: number;
}

describe('a bundle of the task tensor', () => {
  it.each([
    '',
    '?rule=fixed&depth=3',
    '?threshold=0.2',
    '?rule=sample&seed=7',
    '?min_depth=2&max_depth=4',
    '?deadline_ms=60000',
  ])('answers %s as the task of its network does', async (query) => {
    const answered = await post(query);
    expect(answered.statusCode).toBe(200);
    const [tensor, recover] = [answered, await post(query, 'recover')].map((response) =>
      response.json<Answer>(),
    );
    expect(tensor!.samples.map(({ depth, reason }) => [depth, reason])).toEqual(
      recover!.samples.map(({ depth, reason }) => [depth, reason]),
    );
    expect(tensor!.outputs.signal).toEqual(recover!.signals);
    expect(tensor!.outputs.signal).toHaveLength(3);
  });

  it('stops by confidence where the model gives it', async () => {
    const image = Array.from({ length: 3 }, (_, c) =>
      Array.from({ length: 8 }, (_, y) => Array.from({ length: 8 }, (_, x) => (c + x * y) / 60)),
    );
    const depths = await Promise.all(
      [0.01, 0.9999].map(async (threshold) => {
        const response = await service.app.inject({
          method: 'POST',
          url: `/v1/tensor?model=classes&rule=confidence&threshold=${threshold}`,
          payload: { inputs: { image: [image] } },
        });
        expect(response.statusCode).toBe(200);
        return response.json<Answer>().samples[0]!.depth;
      }),
    );
    expect(depths).toEqual([1, 3]);
  });

  it('serves models of other tasks by name, as .npy', async () => {
    const response = await service.app.inject({
      method: 'POST',
      url: '/v1/tensor?model=small-gray&depth=2',
      headers: { 'content-type': 'application/x-npy' },
      payload: Buffer.from(writeNpy({ shape: [1, 1, 4, 6], data: new Float32Array(24) })),
    });
    expect(response.headers).toMatchObject({
      'content-type': 'application/x-npy',
      'x-model': 'small-gray',
      'x-stop-depth': '2',
      'x-stop-reason': 'fixed',
    });
    expect(readNpy(response.rawPayload).shape).toEqual([1, 1, 4, 6]);
  });

  it('is counted by its name', async () => {
    await post('');
    await post('?depth=77');
    const { body: metrics } = await service.app.inject('/metrics');
    expect(metrics).toMatch(/stopwise_requests_total\{model="plain",outcome="ok"\} [1-9]/);
    expect(metrics).toMatch(/stopwise_samples_total\{model="plain",reason="fixed"\} 3\n/);
  });

  it('refuses shapes with 400 and names what it needs', async () => {
    const response = await service.app.inject({
      method: 'POST',
      url: '/v1/tensor',
      headers: { 'content-type': 'application/x-npy' },
      payload: Buffer.from(writeNpy({ shape: [12, 3], data: new Float32Array(36) })),
    });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: 'bad-body',
      detail: 'Each sample of measurements is [3], not [12]: dimension 1 must be 12.',
    });
  });
});
