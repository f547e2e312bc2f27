/** Serves the page at `/` for trying the service by hand, and its samples. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { inlineScripts, pagePolicy } from './browser.ts';

// The same distance from `src/server` and from `dist/server`.
const folder = (path: string): string => fileURLToPath(new URL(`../../${path}/`, import.meta.url));

/** Serves `public` at `/` and `docs/samples` at `/samples/`. */
export async function installPage(app: FastifyInstance): Promise<void> {
  const root = folder('public');
  const policy = pagePolicy(inlineScripts(await readFile(`${root}index.html`, 'utf8')));
  await app.register(fastifyStatic, {
    root,
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
