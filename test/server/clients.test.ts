/** What callers and proxies bring along: prefix, ids, compression, HEAD, IPv6, and headers that the OpenAPI document promises. */
import { once } from 'node:events';
import { Agent, request, type IncomingMessage, type RequestOptions } from 'node:http';
import { networkInterfaces } from 'node:os';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPEN_ACCESS } from '../../src/config/access.ts';
import type { Engine } from '../../src/engine/engine.ts';
import {
  smallFewShot,
  smallModels,
  smallRecognize,
  startSmallEngine,
  writeModels,
} from '../support/small.ts';
import { form, serveEngine, type SmallService } from './support.ts';

let engine: Engine;
let service: SmallService;
let prefixed: SmallService;
beforeAll(async () => {
  const modelsDir = await writeModels([...smallModels(), smallFewShot(), smallRecognize()]);
  engine = await startSmallEngine({ modelsDir });
  service = await serveEngine(engine, { modelsDir });
  const access = { ...OPEN_ACCESS, basePath: '/tools/stopwise' };
  prefixed = await serveEngine(engine, { modelsDir, access });
});
afterAll(async () => {
  await service.close();
  await prefixed.close();
  await engine.close();
});

const vector = Array.from({ length: 12 }, (_, i) => Math.sin(i));
const recover = (
  headers: Record<string, string> = {},
  rows = 1,
  { app }: SmallService = service,
  url = '/v1/recover',
) =>
  app.inject({
    method: 'POST',
    url,
    payload: JSON.stringify({ measurements: Array.from({ length: rows }, () => vector) }),
    headers: { 'content-type': 'application/json', ...headers },
  });
const picture = (channels: 1 | 3 = 3): Promise<Buffer> =>
  sharp({ create: { width: 24, height: 20, channels: 3, background: '#789' } })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .png()
    .toBuffer();

describe('BASE_PATH', () => {
  it.each(['', '/tools/stopwise'])('is served with the prefix kept or stripped: %s', async (at) => {
    expect((await recover({}, 1, prefixed, `${at}/v1/recover`)).statusCode).toBe(200);
    for (const path of ['/', '/docs/', '/docs/static/swagger-ui.css', '/health/ready', '/metrics'])
      expect([path, (await prefixed.app.inject({ url: at + path })).statusCode]).toEqual([
        path,
        200,
      ]);
  });

  it('is in the OpenAPI document, the docs, redirects and errors', async () => {
    const document = (await prefixed.app.inject({ url: '/openapi.json' })).json<object>();
    expect(document).toMatchObject({ servers: [{ url: '/tools/stopwise' }] });
    const docs = await prefixed.app.inject({ url: '/tools/stopwise/docs' });
    expect(docs.body).toContain('src="/tools/stopwise/docs/static/swagger-ui-bundle.js"');
    const bare = await prefixed.app.inject({ url: '/tools/stopwise' });
    expect([bare.statusCode, bare.headers.location]).toEqual([308, '/tools/stopwise/']);
    const inner = await prefixed.app.inject({ url: '/tools/stopwise/docs/static/index.html' });
    expect([inner.statusCode, inner.headers.location]).toEqual([302, '/tools/stopwise/docs/']);
    const lost = await prefixed.app.inject({ url: '/tools/stopwise/v1/nothing' });
    expect(lost.json()).toMatchObject({ status: 404, instance: '/tools/stopwise/v1/nothing' });
    expect((await prefixed.app.inject({ url: '/tools/stopwisest/metrics' })).statusCode).toBe(404);
  });

  it('needs no absolute URL in the page', async () => {
    const { body } = await prefixed.app.inject({ url: '/tools/stopwise/' });
    expect(body).not.toMatch(/(href|src)="\/|fetch\([`'"]\//);
  });
});

describe('x-request-id and traceparent', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  it('are echoed, on errors too', async () => {
    const headers = { 'x-request-id': 'order/7:a+b=c', traceparent };
    for (const answer of [
      await recover(headers),
      await service.app.inject({ url: '/v1/models/nobody', headers }),
    ])
      expect(answer.headers).toMatchObject(headers);
    const undecodable = await service.app.inject({ url: '/%zz', headers });
    expect([undecodable.statusCode, undecodable.headers['x-request-id']]).toEqual([
      404,
      headers['x-request-id'],
    ]);
  });

  it.each([
    ['x'.repeat(129), '00-zz-00f067aa0ba902b7-01'],
    ['two words', `ff-${'1'.repeat(32)}-${'1'.repeat(16)}-01`],
    ['', `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`],
    ['a\tb', `${traceparent}-more`],
  ])('are replaced or dropped where malformed: %j', async (id, parent) => {
    const { headers } = await recover({ 'x-request-id': id, traceparent: parent });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers).not.toHaveProperty('traceparent');
  });

  it('are on the lines of the log', async () => {
    const lines: Record<string, unknown>[] = [];
    const app = service.app.log.child({});
    const { requestIdOptions } = await import('../../src/server/request-ids.ts');
    const logger = Object.assign(Object.create(app) as typeof app, {
      child: (bindings: Record<string, unknown>) => (lines.push(bindings), app),
    });
    const raw = { headers: { traceparent } } as unknown as IncomingMessage;
    const make = requestIdOptions.childLoggerFactory;
    make.call(service.app, logger, { request_id: 'a' }, {}, raw);
    expect(lines).toEqual([{ request_id: 'a', trace_id: traceparent.slice(3, 35) }]);
  });
});

describe('compression of answers', () => {
  it('serves large JSON in br or gzip, as the client prefers', async () => {
    const plain = (await recover({}, 80)).json<{ signals: unknown }>().signals;
    const br = await recover({ 'accept-encoding': 'gzip, br' }, 80);
    expect([br.headers['content-encoding'], String(br.headers.vary)]).toEqual([
      'br',
      expect.stringMatching(/accept.*accept-encoding/i),
    ]);
    const unpacked = JSON.parse(String(brotliDecompressSync(br.rawPayload))) as object;
    expect(unpacked).toMatchObject({ signals: plain });
    const gzip = await recover({ 'accept-encoding': 'gzip;q=1, br;q=0' }, 80);
    expect(gzip.headers['content-encoding']).toBe('gzip');
    expect(JSON.parse(String(gunzipSync(gzip.rawPayload)))).toMatchObject({ signals: plain });
  });

  it('leaves small answers, arrays and images as they are', async () => {
    const accept = { 'accept-encoding': 'br, gzip' };
    expect((await recover(accept)).headers).not.toHaveProperty('content-encoding');
    const npy = await recover({ ...accept, accept: 'application/x-npy' }, 400);
    expect(npy.rawPayload.length).toBeGreaterThan(16_384);
    expect(npy.headers).not.toHaveProperty('content-encoding');
    const image = await service.app.inject({ url: '/samples/noisy.png', headers: accept });
    expect(image.headers).not.toHaveProperty('content-encoding');
  });
});

describe('HEAD', () => {
  it.each(['/', '/docs/', '/v1/models', '/metrics', '/health/ready', '/openapi.json'])(
    '%s has the headers of GET and no body',
    async (url) => {
      const head = await service.app.inject({ method: 'HEAD', url });
      const get = await service.app.inject({ url });
      expect([head.statusCode, head.body, head.headers['content-type']]).toEqual([
        200,
        '',
        get.headers['content-type'],
      ]);
    },
  );

  it('other methods get 404 where nothing is, not the 405 of the page', async () => {
    const answer = await service.app.inject({ method: 'DELETE', url: '/nowhere' });
    expect(answer.statusCode).toBe(404);
    const models = await service.app.inject({ method: 'DELETE', url: '/v1/models' });
    expect([models.statusCode, models.headers.allow]).toEqual([405, 'GET']);
  });

  it('is 405 where only POST is', async () => {
    const answer = await service.app.inject({ method: 'HEAD', url: '/v1/recover' });
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'POST']);
  });
});

async function statusOf(options: RequestOptions): Promise<number | undefined> {
  const [answer] = (await once(
    request({ ...options, path: '/health/ready' }).end(),
    'response',
  )) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return answer.statusCode;
}

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.family === 'IPv6');
it.skipIf(!hasIpv6)('listens on IPv6 and IPv4 with HOST=::, and keeps connections', async () => {
  await service.app.listen({ port: 0, host: '::' });
  const { port } = service.app.server.address() as { port: number };
  let connections = 0;
  service.app.server.on('connection', () => connections++);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (const host of ['::1', '127.0.0.1'])
    for (let i = 0; i < 3; i++) expect(await statusOf({ host, port, agent })).toBe(200);
  expect(connections).toBe(2);
  agent.destroy();
});

interface Document {
  paths: Record<
    string,
    {
      post?: {
        requestBody?: { required: boolean; content: Record<string, object> };
        responses: Record<string, { headers?: Record<string, object> }>;
      };
    }
  >;
}

describe('headers that the OpenAPI document promises', () => {
  const always = ['x-model', 'x-stop-depth', 'x-stop-depth-mean', 'x-max-depth', 'x-stop-reason'];

  it('are on every kind of answer of every route', async () => {
    const image = await picture();
    const fewShot = await form([
      { field: 'label', text: 'a' },
      { field: 'support', file: await picture(1) },
      { field: 'label', text: 'b' },
      { field: 'support', file: await picture(1) },
      { field: 'query', file: await picture(1) },
    ]);
    const post = (url: string, payload: Buffer, headers: Record<string, string>) =>
      service.app.inject({ method: 'POST', url, payload, headers });
    const png = { 'content-type': 'image/png' };
    const tensor = (headers: Record<string, string>) =>
      post(
        '/v1/tensor?model=small-recovery',
        Buffer.from(JSON.stringify({ inputs: { measurements: vector } })),
        { 'content-type': 'application/json', ...headers },
      );
    const answers = {
      ...{ json: await recover(), npy: await recover({ accept: 'application/x-npy' }) },
      raw: await recover({ accept: 'application/octet-stream' }),
      image: await post('/v1/denoise', image, png),
      base64: await post('/v1/denoise', image, { ...png, accept: 'application/json' }),
      depth: await post('/v1/denoise?format=depth', image, png),
      recognize: await post('/v1/recognize', image, png),
      fewShot: await post('/v1/few-shot', fewShot.payload, fewShot.headers),
      tensor: await tensor({}),
      tensorNpy: await tensor({ accept: 'application/x-npy' }),
    };
    const { paths } = (await service.app.inject('/openapi.json')).json<Document>();
    const promising = Object.entries(paths)
      .filter(([, { post: route }]) => route?.responses['200']?.headers?.['x-stop-depth'])
      .map(([path]) => path);
    const tested = ['denoise', 'few-shot', 'recognize', 'recover', 'tensor'];
    expect(promising.sort()).toEqual(tested.map((route) => `/v1/${route}`));
    for (const [name, { statusCode, headers }] of Object.entries(answers)) {
      expect([name, statusCode]).toEqual([name, 200]);
      expect(Object.keys(headers), name).toEqual(
        expect.arrayContaining([...always, 'server-timing', 'x-request-id']),
      );
    }
    const sampled = await recover({}, 1, service, '/v1/recover?rule=sample&seed=5');
    expect(sampled.headers['x-seed']).toBe('5');
    const { samples } = answers.json.json<{ samples: { depth: number }[] }>();
    expect(answers.json.headers['x-stop-depth']).toBe(String(samples[0]!.depth));
  });
});

describe('refusals are counted', () => {
  const rejected = async (model: string): Promise<number> => {
    const { body } = await service.app.inject({ url: '/metrics' });
    const pattern = `^stopwise_requests_total\\{model="${model}",outcome="rejected"\\} (\\d+)$`;
    return Number(new RegExp(pattern, 'm').exec(body)?.[1] ?? 0);
  };
  it.each([
    ['/v1/recover?threshold=2', 'small-recovery'],
    ['/v1/recover?model=small-recovery&threshold=2', 'small-recovery'],
    ['/v1/recover?model=nobody', ''],
    ['/v1/recognize?threshold=2', 'small-recognize'],
    // Two defaults, of which the number of channels picks one: nobody knows it before the image is decoded.
    ['/v1/denoise?threshold=2', ''],
  ])('%s under %j', async (url, model) => {
    const before = await rejected(model);
    expect((await recover({}, 1, service, url)).statusCode).toBeGreaterThanOrEqual(400);
    expect(await rejected(model)).toBe(before + 1);
  });

  it('under the model that the input decides on', async () => {
    const names = ['small-gray', 'small-color', 'small-recovery', 'small-lista'];
    const before = await Promise.all(names.map(rejected));
    for (const channels of [1, 3] as const) {
      const payload = await picture(channels);
      const headers = { 'content-type': 'image/png' };
      const url = '/v1/denoise?rule=fixed&depth=1';
      const answer = await service.app.inject({ method: 'POST', url, payload, headers });
      expect(answer.json()).toMatchObject({ code: 'bad-parameter' });
    }
    const after = await Promise.all(names.map(rejected));
    expect(after.map((count, i) => count - before[i]!)).toEqual([1, 1, 0, 0]);
  });
});
