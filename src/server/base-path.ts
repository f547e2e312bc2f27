/** Serves under a path prefix, whether the proxy in front strips it or not. */
import type { FastifyInstance } from 'fastify';

/** The URL without the prefix; any other stays as it is. */
export const stripBasePath =
  (basePath: string) =>
  ({ url = '/' }: { url?: string | undefined }): string => {
    if (basePath === '' || !url.startsWith(basePath)) return url;
    const rest = url.slice(basePath.length);
    if (rest.startsWith('/')) return rest;
    return rest === '' || rest.startsWith('?') ? `/${rest}` : url;
  };

/** Adds the prefix to redirects, and the slash without which a page's relative URLs would miss it. */
export function installBasePath(app: FastifyInstance, basePath: string): void {
  if (basePath === '') return;
  app.addHook('onRequest', (request, reply, done) => {
    if (request.originalUrl.split('?')[0] !== basePath) return done();
    void reply.redirect('/', 308);
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    const location = reply.getHeader('location');
    if (typeof location === 'string' && location.startsWith('/') && !location.startsWith('//'))
      reply.header('location', basePath + location);
    done(null, payload);
  });
}
