import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { wantsTraces } from '../../src/server/tracing.ts';
import { writeModels } from '../support/small.ts';
import { startProcess } from './process.ts';

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, string | number>>;
}
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code?: number };
}
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

/** A receiver of OTLP over HTTP in JSON. */
let receiver: Server;
let endpoint: string;
const received: Export[] = [];
beforeAll(async () => {
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      if (request.url === '/v1/traces') received.push(JSON.parse(text.toString()) as Export);
      response.setHeader('content-type', 'application/json').end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
afterAll(() => receiver.close());
beforeEach(() => void received.splice(0));

const spansOf = (exports: readonly Export[]): Span[] =>
  exports.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  );

const valuesOf = (attributes: readonly Attribute[]) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';

it('sends a span a request with its phases, as a child of the caller’s', async () => {
  const service = await startProcess({
    MODELS_DIR: await writeModels(),
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_SERVICE_NAME: 'denoisers',
  });
  try {
    // With a deadline it runs segment by segment, never as one path.
    const answer = await fetch(`${service.url}/v1/recover?rule=fixed&depth=3&deadline_ms=60000`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: `00-${TRACE}-${CALLER}-01` },
      body: JSON.stringify({ measurements: Array.from({ length: 12 }, (_, i) => Math.sin(i)) }),
    });
    expect(answer.status).toBe(200);
    await answer.arrayBuffer();
    await fetch(`${service.url}/health/ready`);
  } finally {
    // What is left is sent before the end.
    service.child.kill('SIGTERM');
  }
  expect(await service.ended).toBe(0);

  const resources = received.flatMap(({ resourceSpans }) => resourceSpans);
  expect(valuesOf(resources[0]?.resource.attributes ?? [])).toMatchObject({
    'service.name': 'denoisers',
    'service.version': (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string })
      .version,
  });
  const spans = spansOf(received);
  const server = spans.find(({ kind }) => kind === 2);
  expect(server).toMatchObject({
    ...{ name: 'POST /v1/recover', traceId: TRACE, parentSpanId: CALLER },
  });
  expect(valuesOf(server?.attributes ?? [])).toMatchObject({
    'http.request.method': 'POST',
    'http.route': '/v1/recover',
    'http.response.status_code': 200,
    'stopwise.model': 'small-recovery',
    'stopwise.depth': 3,
    'stopwise.reason': 'fixed',
  });
  expect(server?.status.code ?? 0).toBe(0);
  const children = (parent: Span | undefined) =>
    spans.filter(({ parentSpanId }) => parentSpanId === parent?.spanId);
  const phases = children(server);
  expect(phases.map(({ name }) => name)).toEqual(['queue', 'compute', 'encode']);
  const [queue, compute] = phases;
  expect(children(queue).map(({ name }) => name)).toEqual(['decode']);
  const ran = children(compute);
  expect(ran.map(({ name }) => name)).toEqual(['segment 1', 'segment 2', 'segment 3', 'read-out']);
  expect(valuesOf(ran[0]?.attributes ?? [])).toMatchObject({ 'stopwise.runs': 1 });
  // Neither a probe nor a scrape has a span.
  expect(spans).toHaveLength(5 + ran.length);
  for (const span of spans) {
    expect(BigInt(span.startTimeUnixNano)).toBeLessThanOrEqual(BigInt(span.endTimeUnixNano));
    expect(span.traceId).toBe(TRACE);
  }
}, 90_000);

it('marks a span as an error for a 5xx, and names the code of every refusal', async () => {
  const folder = await writeModels();
  await rm(join(folder, 'small-gray', 'layer-03.onnx'));
  const service = await startProcess({
    MODELS_DIR: folder,
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  });
  for (const model of ['small-gray', 'absent'])
    await (await fetch(`${service.url}/v2/models/${model}`)).arrayBuffer();
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
  const ends = spansOf(received).map(({ attributes, status }) => ({
    code: valuesOf(attributes)['error.type'],
    http: valuesOf(attributes)['http.response.status_code'],
    status: status.code ?? 0,
  }));
  expect(ends).toEqual([
    { code: 'bundle-refused', http: 503, status: 2 },
    { code: 'unknown-model', http: 404, status: 0 },
  ]);
}, 90_000);

it('is off without an endpoint, and where the standard variables say so', () => {
  expect(wantsTraces({})).toBe(false);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  expect(wantsTraces(env)).toBe(true);
  expect(wantsTraces({ ...env, OTEL_SDK_DISABLED: 'true' })).toBe(false);
  expect(wantsTraces({ ...env, OTEL_TRACES_EXPORTER: 'none' })).toBe(false);
});

it('imports OpenTelemetry only when it starts', () => {
  const source = readFileSync('dist/server/tracing.js', 'utf8');
  expect(source).not.toMatch(/^import .*@opentelemetry/m);
  expect(source).toMatch(/import\('@opentelemetry\/sdk-trace-node'\)/);
});
