/** What the service tells of itself: models, health, metrics, OpenAPI document and page. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy } from '../../src/codecs/npy.ts';
import { problems } from '../../src/errors.ts';
import { requestsTo, vector } from './requests.ts';
import { startSmallService, type SmallService } from './support.ts';

let service: SmallService;
beforeAll(async () => {
  service = await startSmallService();
});
afterAll(() => service.close());

const { post, recover } = requestsTo(() => service);

describe('models, health, metrics, documents', () => {
  const get = (url: string) => service.app.inject({ method: 'GET', url });

  it('lists manifests and hands out task files', async () => {
    const { models } = (await get('/v1/models')).json<{ models: { name: string }[] }>();
    expect(models.map(({ name }) => name).sort()).toEqual([
      'small-color',
      'small-gray',
      'small-recovery',
    ]);
    expect((await get('/v1/models/small-gray')).json()).toMatchObject({
      name: 'small-gray',
      exits: [2, 3, 4],
    });
    expect((await get('/v1/models/nobody')).json()).toMatchObject({ code: 'unknown-model' });
    expect(
      readNpy((await get('/v1/models/small-recovery/files/matrix.npy')).rawPayload).shape,
    ).toEqual([12, 24]);
  });

  it('hands out the JSON Schema of manifests that is published', async () => {
    const answer = await get('/manifest.schema.json');
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual(JSON.parse(await readFile('docs/manifest.schema.json', 'utf8')));
  });

  it('documents every error', async () => {
    const rows = (await readFile('docs/http.md', 'utf8')).matchAll(
      /^\| (\d{3}) \| `([a-z-]+)` \|/gm,
    );
    const documented = [...rows].map(([, status, code]) => [code, Number(status)]);
    const known = Object.entries(problems).map(([code, { status }]) => [code, status]);
    expect(new Map(documented as [])).toEqual(new Map(known as []));
  });

  it('is live, and ready until it drains', async () => {
    expect((await get('/health/live')).statusCode).toBe(200);
    expect((await get('/health/ready')).statusCode).toBe(200);
    service.state.draining = true;
    expect((await get('/health/ready')).statusCode).toBe(503);
    service.state.draining = false;
  });

  it('counts depths, reasons and skipped layers', async () => {
    const value = async (series: string): Promise<number> => {
      const line = (await get('/metrics')).body
        .split('\n')
        .find((text) => text.startsWith(`${series} `));
      return Number(line?.split(' ').at(-1));
    };
    const series = [
      'stopwise_stop_depth_sum{model="small-recovery"}',
      'stopwise_samples_total{model="small-recovery",reason="fixed"}',
      'stopwise_layers_skipped_total{model="small-recovery"}',
      'stopwise_requests_total{model="small-recovery",outcome="ok"}',
    ];
    // The sum of depths is there from the first sample on.
    await recover({ measurements: vector() });
    const before = await Promise.all(series.map(value));
    await recover({ measurements: [vector(), vector()] }, '?rule=fixed&depth=2');
    const after = await Promise.all(series.map(value));
    expect(after.map((number, i) => number - before[i]!)).toEqual([4, 2, 6, 1]);
    const text = (await get('/metrics')).body;
    for (const name of [
      'layer_duration_seconds_count',
      'batch_size_count',
      'queue_duration_seconds_count',
      'request_duration_seconds_count',
      'execution_provider_info',
      'build_info',
      'pending_samples',
      'layers_run_total',
    ]) {
      expect(text).toContain(`stopwise_${name}`);
    }
  });

  it('counts what is refused before a model is chosen', async () => {
    const refused = async (): Promise<number> => {
      const found = [
        ...(await get('/metrics')).body.matchAll(
          /^stopwise_requests_total\{model="(?:|small-recovery)",outcome="rejected"\} (\d+)$/gm,
        ),
      ];
      return found.reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const before = await refused();
    await recover({ measurements: vector() }, '?threshold=2');
    await recover({ measurements: vector() }, '?treshold=1');
    await post('/v1/denoise', Buffer.alloc(5_000_000), { 'content-type': 'image/png' });
    await post('/v1/recover', 'x', { 'content-type': 'text/plain' });
    expect(await refused()).toBe(before + 4);
  });

  it('describes itself', async () => {
    const document = (await get('/openapi.json')).json<{
      paths: Record<
        string,
        { post?: { requestBody: { content: object }; parameters: { name: string }[] } }
      >;
    }>();
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v1/denoise',
        '/v1/recover',
        '/v1/models',
        '/v1/models/{name}/files/{file}',
        '/health/ready',
        '/metrics',
      ]),
    );
    const denoise = document.paths['/v1/denoise']!.post!;
    expect(Object.keys(denoise.requestBody.content)).toContain('multipart/form-data');
    expect(denoise.parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'rule',
        'threshold',
        'seed',
        'depth',
        'min_depth',
        'max_depth',
        'deadline_ms',
        'model',
        'format',
      ]),
    );
    expect((await get('/docs/')).statusCode).toBe(200);
  });

  it('describes every answer and every body that a client needs', async () => {
    interface Media {
      schema: { properties?: Record<string, unknown>; $ref?: string };
    }
    const document = (await get('/openapi.json')).json<{
      servers: unknown[];
      components: { schemas: Record<string, unknown> };
      paths: Record<
        string,
        {
          post: {
            requestBody: { content: Record<string, Media> };
            responses: Record<string, { content: Record<string, Media>; headers?: object }>;
          };
        }
      >;
    }>();
    expect(document.servers).not.toHaveLength(0);
    expect(Object.keys(document.components.schemas)).toContain('Problem');
    expect(JSON.stringify(document.paths['/v1/recover'])).toContain(
      '"example":{"measurements":[0,0.64,',
    );
    const denoise = document.paths['/v1/denoise']!.post;
    const recover = document.paths['/v1/recover']!.post;
    for (const status of [400, 404, 406, 413, 415, 429, 500, 503])
      expect(denoise.responses[status]!.content['application/problem+json']!.schema.$ref).toBe(
        '#/components/schemas/Problem',
      );
    const answerOf = ({ responses }: typeof denoise) =>
      Object.keys(responses['200']!.content['application/json']!.schema.properties!);
    expect(answerOf(denoise)).toEqual(expect.arrayContaining(['image', 'depth_map', 'samples']));
    expect(answerOf(recover)).toEqual(expect.arrayContaining(['signals', 'samples', 'timing']));
    expect(Object.keys(denoise.responses['200']!.headers!)).toContain('x-stop-depth');
    expect(Object.keys(recover.requestBody.content)).toEqual([
      'application/json',
      'application/octet-stream',
      'application/x-npy',
    ]);
    expect(
      Object.keys(recover.requestBody.content['application/json']!.schema.properties!),
    ).toEqual(['measurements', 'model', 'stopping']);
  });

  it('describes the bytes that a route takes, and takes no others', async () => {
    interface Media {
      schema: { type?: string; format?: string; description?: string };
    }
    const { paths } = (await get('/openapi.json')).json<{
      paths: Record<string, { post: { requestBody: { content: Record<string, Media> } } }>;
    }>();
    const bytes = {
      recover: { 'application/octet-stream': /float32/, 'application/x-npy': /\.npy/ },
      tensor: { 'application/x-npy': /\.npy array of shape \(N, …\)/ },
    };
    for (const [route, forms] of Object.entries(bytes)) {
      const { 'application/json': json, ...content } =
        paths[`/v1/${route}`]!.post.requestBody.content;
      expect(json, route).toBeDefined();
      expect(Object.keys(content), route).toEqual(Object.keys(forms));
      for (const [type, words] of Object.entries(forms)) {
        expect(content[type]!.schema).toMatchObject({ type: 'string', format: 'binary' });
        expect(content[type]!.schema.description).toMatch(words);
      }
    }
    const raw = Buffer.from(Float32Array.from(vector()).buffer);
    const send = (route: string) =>
      post(`/v1/${route}?model=small-recovery`, raw, {
        'content-type': 'application/octet-stream',
      });
    expect((await send('recover')).statusCode).toBe(200);
    expect((await send('tensor')).statusCode).toBe(415);
  });

  it('has a page', async () => {
    expect((await get('/')).body).toContain('<title>stopwise</title>');
  });
});
