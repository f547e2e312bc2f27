/**
 * Traces by OpenTelemetry's environment variables. Nothing is loaded unless OTEL_EXPORTER_OTLP_ENDPOINT (or its
 * …_TRACES_… form) is set.
 */
import type { Span, Tracer } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Summary } from '../engine/transport/messages.ts';
import { deepest, notesOf } from './notes.ts';
import { isModelRoute, whenOver } from './over.ts';

/** Starts and ends the spans of requests. */
export interface Tracing {
  /** One span a request, from its headers to the end of its answer. */
  install(app: FastifyInstance): void;
  /** Sends what is left. */
  close(): Promise<void>;
}

/** Whether the environment asks for traces. */
export const wantsTraces = (env: NodeJS.ProcessEnv): boolean =>
  env.OTEL_SDK_DISABLED?.toLowerCase() !== 'true' &&
  env.OTEL_TRACES_EXPORTER !== 'none' &&
  Boolean(env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT);

/**
 * Loads OpenTelemetry and sets it up from the environment: endpoint, headers, sampler, batch sizes, service name.
 * @param version given as `service.version`
 */
export async function startTracing(version: string): Promise<Tracing> {
  const [api, { NodeTracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, resources] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const { resourceFromAttributes, detectResources, envDetector, defaultResource } = resources;
  const provider = new NodeTracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'stopwise', 'service.version': version }))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  // Registers W3C trace context, by which `traceparent` is read.
  provider.register();
  const tracer = provider.getTracer('stopwise', version);
  return {
    install: (app) => installSpans(app, api, tracer),
    close: () => provider.shutdown(),
  };
}

type Api = typeof import('@opentelemetry/api');

function installSpans(app: FastifyInstance, api: Api, tracer: Tracer): void {
  const spans = new WeakMap<FastifyRequest, Span>();
  app.addHook('onRequest', (request, _reply, done) => {
    const { method, headers, url } = request;
    const route = request.routeOptions.url;
    if (!isModelRoute(route)) return done();
    const parent = api.propagation.extract(api.ROOT_CONTEXT, headers);
    const span = tracer.startSpan(
      `${method} ${route}`,
      {
        kind: api.SpanKind.SERVER,
        attributes: {
          'http.request.method': method,
          'http.route': route ?? '',
          'url.path': url.split('?')[0] ?? '',
          'url.scheme': request.protocol,
          'server.address': request.hostname,
        },
      },
      parent,
    );
    spans.set(request, span);
    const { traceId, traceFlags } = span.spanContext();
    if (traceFlags & api.TraceFlags.SAMPLED) notesOf(request).traceId = traceId;
    done();
  });
  whenOver(app, (request, _reply, status) => {
    const span = spans.get(request);
    if (span) end(span, request, status, { api, tracer });
  });
}

function end(
  span: Span,
  request: FastifyRequest,
  status: number,
  { api, tracer }: { readonly api: Api; readonly tracer: Tracer },
): void {
  const notes = notesOf(request);
  const { summary, code } = notes;
  span.setAttribute('http.response.status_code', status);
  if (code) span.setAttribute('error.type', code);
  if (status >= 500) span.setStatus({ code: api.SpanStatusCode.ERROR });
  if (summary) {
    const stopped = deepest(summary);
    span.setAttributes({
      'stopwise.model': summary.model,
      'stopwise.samples': summary.depths.length,
      'stopwise.max_depth': summary.maxDepth,
      'stopwise.compute_ms': summary.timing.computeMs,
      ...(stopped && {
        'stopwise.depth': stopped.depth,
        'stopwise.depth_mean': stopped.mean,
        'stopwise.reason': stopped.reason,
      }),
    });
    if (notes.arrivedAt !== undefined) addSteps(span, summary, notes.arrivedAt, { api, tracer });
  }
  span.end();
}

/** The children of an answered request's span: `queue` with `decode`, `compute` with what ran, and `encode`. */
function addSteps(
  span: Span,
  { timing: { queueMs, totalMs }, steps = [] }: Summary,
  arrivedAt: number,
  { api, tracer }: { readonly api: Api; readonly tracer: Tracer },
): void {
  const add = (parent: Span, name: string, from: number, to: number, attributes = {}): Span => {
    const context = api.trace.setSpan(api.ROOT_CONTEXT, parent);
    const child = tracer.startSpan(name, { startTime: arrivedAt + from, attributes }, context);
    child.end(arrivedAt + to);
    return child;
  };
  const queue = add(span, 'queue', 0, queueMs);
  const compute = add(span, 'compute', queueMs, totalMs);
  for (const { name, startMs, endMs, runs, ms } of steps) {
    const parent = name === 'decode' ? queue : name === 'encode' ? span : compute;
    add(parent, name, startMs, endMs, { 'stopwise.runs': runs, 'stopwise.run_ms': ms });
  }
}
