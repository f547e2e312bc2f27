/** Tells when a request is over, whether or not its client waited for the answer. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { problems } from '../errors.ts';
import { notesOf } from './notes.ts';

/** Whether a route is one to a model, or under `/v1` and `/v2`. */
export const isModelRoute = (route: string | undefined): boolean => /\/v\d\//.test(route ?? '');

/**
 * Calls `over` once for each request to a model: when its answer is sent, or when its client has left before, of which
 * Fastify's onResponse does not tell.
 * @param over gets the status: 499 where the client left before there was one
 */
export function whenOver(
  app: FastifyInstance,
  over: (request: FastifyRequest, reply: FastifyReply, status: number) => void,
): void {
  const told = new WeakSet<FastifyRequest>();
  const tell = (request: FastifyRequest, reply: FastifyReply): void => {
    if (told.has(request)) return;
    told.add(request);
    const { raw, statusCode } = reply;
    if (raw.headersSent) return over(request, reply, statusCode);
    const code = (notesOf(request).code = 'client-closed-request');
    over(request, reply, problems[code].status);
  };
  app.addHook('onRequest', (request, reply, done) => {
    if (isModelRoute(request.routeOptions.url))
      reply.raw.once('close', () => {
        if (!reply.raw.writableFinished) tell(request, reply);
      });
    done();
  });
  app.addHook('onResponse', async (request, reply) => {
    if (isModelRoute(request.routeOptions.url)) tell(request, reply);
  });
}
