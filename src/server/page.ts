/** Serves the page at `/` for trying the service by hand, and its samples. */
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { pagePolicy } from './browser.ts';

// The same distance from `src/server` and from `dist/server`.
const folder = (path: string): string => fileURLToPath(new URL(`../../${path}/`, import.meta.url));

/** Serves `public` at `/` and `docs/samples` at `/samples/`. */
export async function installPage(app: FastifyInstance): Promise<void> {
  const policy = pagePolicy();
  await app.register(fastifyStatic, {
    root: folder('public'),
    setHeaders: (reply, path) => {
      if (path.endsWith('.html')) reply.header('content-security-policy', policy);
    },
  });
  await app.register(fastifyStatic, {
    root: folder('docs/samples'),
    prefix: '/samples/',
    decorateReply: false,
  });
}
