/** What browsers are told: which other origins may read answers, and what the pages may load. */
import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import helmet from 'helmet';

/** Headers of answers beside those that every page may read. */
const EXPOSED = [
  ...['x-model', 'x-stop-depth', 'x-stop-depth-mean', 'x-max-depth', 'x-stop-reason', 'x-seed'],
  ...['x-variant', 'x-tolerance', 'x-guaranteed', 'x-noise-level', 'server-timing', 'retry-after'],
  ...['x-request-id', 'traceparent', 'inference-header-content-length'],
];

/** How long a browser may keep the answer of a preflight request, s. */
const PREFLIGHT_SECONDS = 600;

/** Sets the security headers of every answer; answers to other origins only where they are listed. */
export async function installBrowserRules(
  app: FastifyInstance,
  origins: readonly string[],
): Promise<void> {
  // Set up once: @fastify/helmet does it for each request, at a tenth of what the HTTP thread does.
  const secure = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    // The proxy that ends TLS decides on it.
    strictTransportSecurity: false,
    // Ignored over plain HTTP, with a warning in the console.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    ...(origins.length > 0 && { crossOriginResourcePolicy: { policy: 'cross-origin' } }),
  });
  app.addHook('onRequest', (request, reply, done) =>
    secure(request.raw, reply.raw, (error) => done(error as Error | undefined)),
  );
  if (origins.length === 0) return;
  await app.register(cors, {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: EXPOSED,
    maxAge: PREFLIGHT_SECONDS,
    // Else OPTIONS of others than browsers would get an error that is no Problem.
    strictPreflight: false,
  });
}

/**
 * The Content-Security-Policy of a page that loads everything from this service, over HTTP or HTTPS.
 * @param inlineStyles whether it may set styles inline, as Swagger UI does; scripts never are
 */
export const pagePolicy = (inlineStyles = false): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self'${inlineStyles ? " 'unsafe-inline'" : ''}`,
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "manifest-src 'self'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
  ].join('; ');
