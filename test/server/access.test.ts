/** Tokens, hosts, origins and the second port, through `inject` and over a socket. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OPEN_ACCESS, type Access } from '../../src/config/access.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { startSmallEngine, writeModels } from '../support/small.ts';
import { serveEngine, type SmallService } from './support.ts';

const API = 'caller-token-0123456789';
const MANAGEMENT = 'management-token-0123456789';
const BODY = JSON.stringify({ measurements: Array.from({ length: 12 }, (_, i) => i / 12) });

let modelsDir: string;
let engine: Engine;
beforeAll(async () => {
  modelsDir = await writeModels();
  engine = await startSmallEngine({ modelsDir });
});
afterAll(() => engine.close());
const running: SmallService[] = [];
afterEach(async () => {
  for (const service of running.splice(0)) await service.close();
});

async function start(access: Partial<Access>): Promise<SmallService> {
  const service = await serveEngine(engine, {
    modelsDir,
    access: { ...OPEN_ACCESS, ...access },
  });
  running.push(service);
  return service;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const recover = (service: SmallService, headers: Record<string, string> = {}) =>
  service.app.inject({
    method: 'POST',
    url: '/v1/recover',
    payload: BODY,
    headers: { 'content-type': 'application/json', ...headers },
  });
const get = (service: SmallService, url: string, headers: Record<string, string> = {}) =>
  service.app.inject({ url, headers });

/** What the service writes on a connection for these bytes. */
async function raw(service: SmallService, text: string): Promise<string> {
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = service.app.server.address() as { port: number };
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('API_TOKENS', () => {
  it('lets in the tokens that are set, and says to others what is missing', async () => {
    const service = await start({ apiTokens: [API, 'second-token-0123456789'] });
    expect((await recover(service, bearer(API))).statusCode).toBe(200);
    expect((await recover(service, bearer('second-token-0123456789'))).statusCode).toBe(200);
    const none = await recover(service);
    expect([none.statusCode, none.headers['www-authenticate'], none.json()]).toEqual([
      401,
      'Bearer realm="stopwise"',
      expect.objectContaining({ code: 'unauthorized' }),
    ]);
    const wrong = await recover(service, bearer(`${API}0`));
    expect([wrong.statusCode, wrong.headers['www-authenticate']]).toEqual([
      401,
      'Bearer realm="stopwise", error="invalid_token"',
    ]);
    expect(wrong.body).not.toContain(API);
    const basic = await recover(service, { authorization: `Basic ${API}` });
    expect(basic.statusCode).toBe(401);
  });

  it('guards models, unknown paths and – without tokens of their own – metrics and docs', async () => {
    const service = await start({ apiTokens: [API] });
    for (const url of ['/v1/models', '/metrics', '/docs/', '/docs/json', '/openapi.json']) {
      expect([url, (await get(service, url)).statusCode]).toEqual([url, 401]);
      expect([url, (await get(service, url, bearer(API))).statusCode]).toEqual([url, 200]);
    }
    for (const url of ['/health/live', '/health/ready', '/', '/samples/noisy.png'])
      expect([url, (await get(service, url)).statusCode]).toEqual([url, 200]);
    const posted = await service.app.inject({ method: 'POST', url: '/nowhere', payload: 'x' });
    expect(posted.statusCode).toBe(401);
  });

  it('is refused before the body is read', async () => {
    const service = await start({ apiTokens: [API] });
    const head = 'POST /v1/denoise HTTP/1.1\r\nHost: a\r\nConnection: close\r\n';
    const answer = await raw(service, `${head}Content-Length: 4000000\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('is in the OpenAPI document', async () => {
    const service = await start({ apiTokens: [API] });
    expect((await get(service, '/openapi.json', bearer(API))).json()).toMatchObject({
      security: [{ token: [] }],
      components: { securitySchemes: { token: { scheme: 'bearer' } } },
    });
  });
});

it('MANAGEMENT_TOKENS open metrics and docs, and API_TOKENS no longer do', async () => {
  const service = await start({ apiTokens: [API], managementTokens: [MANAGEMENT] });
  for (const url of ['/metrics', '/docs/', '/docs/static/swagger-ui.css', '/openapi.json']) {
    expect([url, (await get(service, url, bearer(API))).statusCode]).toEqual([url, 401]);
    expect([url, (await get(service, url, bearer(MANAGEMENT))).statusCode]).toEqual([url, 200]);
  }
  expect((await recover(service, bearer(MANAGEMENT))).statusCode).toBe(401);
});

describe('MANAGEMENT_PORT', () => {
  it('takes metrics and docs away from the port of the callers', async () => {
    const service = await start({ managementPort: 9999 });
    for (const url of ['/metrics', '/docs/', '/openapi.json'])
      expect([url, (await get(service, url)).statusCode]).toEqual([url, 404]);
    const management = await service.management();
    expect((await management.inject({ url: '/docs/' })).headers['content-type']).toMatch(/html/);
    expect((await management.inject({ url: '/metrics' })).body).toContain('stopwise_build_info');
    const { paths } = (await management.inject({ url: '/openapi.json' })).json<{
      paths: Record<string, unknown>;
    }>();
    expect(Object.keys(paths)).toContain('/v1/denoise');
    expect((await management.inject({ url: '/v1/models' })).statusCode).toBe(404);
    service.state.draining = true;
    expect((await management.inject({ url: '/health/ready' })).statusCode).toBe(503);
    expect((await get(service, '/health/ready')).statusCode).toBe(503);
  });

  it('asks for the token of management there too', async () => {
    const service = await start({ managementPort: 9999, managementTokens: [MANAGEMENT] });
    const management = await service.management();
    expect((await management.inject({ url: '/metrics' })).statusCode).toBe(401);
    const headers = bearer(MANAGEMENT);
    expect((await management.inject({ url: '/metrics', headers })).statusCode).toBe(200);
    expect((await management.inject({ url: '/health/live' })).statusCode).toBe(200);
  });
});

describe('CORS_ORIGINS', () => {
  const origin = 'https://lab.example';
  const preflight = (service: SmallService, from: string) =>
    service.app.inject({
      method: 'OPTIONS',
      url: '/v1/recover',
      headers: { origin: from, 'access-control-request-method': 'POST' },
    });

  it('is off by default', async () => {
    const service = await start({});
    const answer = await recover(service, { origin });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    expect((await preflight(service, origin)).headers).not.toHaveProperty(
      'access-control-allow-origin',
    );
  });

  it('admits the origins in the list alone, without a token for the preflight', async () => {
    const service = await start({
      corsOrigins: [origin, 'https://other.example'],
      apiTokens: [API],
    });
    const asked = await preflight(service, origin);
    expect([asked.statusCode, asked.headers['access-control-allow-origin']]).toEqual([204, origin]);
    const answer = await recover(service, { origin, ...bearer(API) });
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': origin });
    expect(answer.headers['access-control-expose-headers']).toContain('x-stop-depth');
    expect(answer.headers['access-control-expose-headers']).toContain('x-variant');
    expect(answer.headers.vary).toMatch(/Origin/);
    const foreign = await recover(service, { origin: 'https://evil.example', ...bearer(API) });
    expect(foreign.headers).not.toHaveProperty('access-control-allow-origin');
    // The reason of a refusal can be read there too.
    const refused = await recover(service, { origin });
    expect([refused.statusCode, refused.headers['access-control-allow-origin']]).toEqual([
      401,
      origin,
    ]);
  });

  it('leaves OPTIONS of others than browsers without an error', async () => {
    const service = await start({ corsOrigins: [origin] });
    expect((await service.app.inject({ method: 'OPTIONS', url: '/v2' })).statusCode).toBe(204);
  });
});

it.each(['/../package.json', '/docs/../../package.json'])(
  '%s, which leads out of what is served, is not found',
  async (path) => {
    const service = await start({});
    const asked = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    expect(await raw(service, asked)).toMatch(/^HTTP\/1.1 404 .*"code":"not-found"/s);
  },
);

describe('Host', () => {
  it('ALLOWED_HOSTS refuses others with 421, except for health', async () => {
    const service = await start({ allowedHosts: ['stopwise.example', '[::1]'] });
    for (const host of ['stopwise.example', 'STOPWISE.example:8080', '[::1]:8080'])
      expect([host, (await get(service, '/v1/models', { host })).statusCode]).toEqual([host, 200]);
    const foreign = await get(service, '/v1/models', { host: 'rebound.example' });
    expect([foreign.statusCode, foreign.json<{ code: string }>().code]).toEqual([
      421,
      'misdirected',
    ]);
    expect((await get(service, '/health/ready', { host: '10.0.0.7' })).statusCode).toBe(200);
  });

  it('is refused where it is there twice', async () => {
    const service = await start({});
    const answer = await raw(
      service,
      'GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*more than one Host/);
  });
});

describe('what HTTP itself refuses is a problem', () => {
  it.each([
    ['nonsense', 'nonsense\r\n\r\n', 400, 'bad-request'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, undefined],
    [
      'two lengths',
      'POST /v1/recover HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'bad-request',
    ],
    [
      'headers of 20 kB',
      `GET / HTTP/1.1\r\nHost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
  ])('%s', async (_, text, status, code) => {
    const answer = await raw(await start({}), text);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    // Node answers a request without Host itself, with no body.
    if (code === undefined) return;
    expect(head).toMatch(/^content-type: application\/problem\+json/im);
    expect(JSON.parse(body)).toMatchObject({ status, code });
  });
});

describe('security headers', () => {
  it('are on every answer', async () => {
    const service = await start({});
    for (const url of ['/', '/docs/', '/v1/models', '/v1/models/nobody', '/nowhere/at/all'])
      expect([url, (await get(service, url)).headers]).toEqual([
        url,
        expect.objectContaining({
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'content-security-policy': expect.stringMatching(/default-src 'none'/) as string,
        }),
      ]);
  });

  it.each(['/', '/docs/'])('%s may load its parts over HTTP and show previews', async (url) => {
    const answer = await get(await start({}), url);
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(policy).toMatch(/img-src 'self' data: blob:/);
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    const inline = [...answer.body.matchAll(/<script(?![^>]*src)[^>]*>/g)].length;
    expect(policy.match(/sha256-/g)?.length ?? 0).toBe(inline);
  });
});
