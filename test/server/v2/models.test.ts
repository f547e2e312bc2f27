/** The Open Inference Protocol over REST: what it tells of models and of the server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SmallService } from '../support.ts';
import { requestsTo, startWithBroken } from './support.ts';

let service: SmallService;
beforeAll(async () => {
  service = await startWithBroken();
});
afterAll(() => service.close());

const { get, infer } = requestsTo(() => service);

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
      403,
      {
        error:
          'This service does not load models on request; set MANAGEMENT_TOKENS, or ALLOW_REPOSITORY=true.',
      },
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

  it('have every body that is taken in the OpenAPI document', async () => {
    const { paths } = (await get('/openapi.json')).json<{
      paths: Record<string, { post?: { requestBody?: { required: boolean; content: object } } }>;
    }>();
    const bodyOf = (path: string) => {
      const { required, content = {} } = paths[path]?.post?.requestBody ?? {};
      return [required, ...Object.keys(content)];
    };
    const infer = [true, 'application/json', 'application/octet-stream'];
    expect(bodyOf('/v2/models/{model}/infer')).toEqual(infer);
    expect(bodyOf('/v2/repository/index')).toEqual([false, 'application/json']);
    for (const action of ['load', 'unload'])
      expect(bodyOf(`/v2/repository/models/{model}/${action}`)).toEqual([
        false,
        'application/json',
      ]);
    expect(bodyOf('/v1/recover')[0]).toBe(true);
  });

  it('say which path is not there, names of any length included', async () => {
    const { statusCode, json } = await get(`/v2/models/${'a'.repeat(5000)}`);
    expect([statusCode, json()]).toEqual([
      404,
      { error: expect.stringMatching(/^There is no model a{80}…; there are/) },
    ]);
  });
});
