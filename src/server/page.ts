/** The page at `/`: one file, for trying the service by hand. */
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';

const files: Record<string, { readonly url: URL; readonly type: string }> = {
  '/': {
    url: new URL('./page.html', import.meta.url),
    type: 'text/html; charset=utf-8',
  },
  '/samples/noisy.png': {
    url: new URL('../../docs/samples/noisy.png', import.meta.url),
    type: 'image/png',
  },
  '/samples/measurements.json': {
    url: new URL('../../docs/samples/measurements.json', import.meta.url),
    type: 'application/json',
  },
};

export function installPage(app: FastifyInstance): void {
  for (const [path, { url, type }] of Object.entries(files)) {
    app.get(path, { schema: { hide: true } }, async (_request, reply) =>
      reply.type(type).send(await readFile(url)),
    );
  }
}
