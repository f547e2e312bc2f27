/**
 * Every error as application/problem+json (RFC 9457), below `/v2` as `{"error": "…"}`: 4xx say what to change, 5xx say
 * nothing internal.
 */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem, problems, shortened } from '../errors.ts';
import { notesOf } from './notes.ts';

/** Errors raised by fastify itself. */
function fromFramework(error: FastifyError): Problem | undefined {
  if (error.validation) return fromValidation(error.validation);
  if (error.code === 'FST_ERR_BAD_URL')
    return new Problem('not-found', 'The path is not a URL that can be decoded; see /docs.');
  switch (error.statusCode) {
    // The page's files, for a path with `..` in it.
    case 403:
      return new Problem('not-found', 'There is nothing outside of what is served; see /docs.');
    case 413:
      return new Problem(
        'too-large',
        'The body is larger than the service takes (MAX_BODY_BYTES).',
      );
    case 415:
      return new Problem(
        'unsupported-media-type',
        'Set Content-Type to what the body is; see /docs for the types each route takes.',
      );
    case 400:
    case 406:
      return new Problem('bad-body', `${shortened(error.message.replace(/\.$/, ''))}.`);
    default:
      return undefined;
  }
}

function fromValidation([first]: NonNullable<FastifyError['validation']>): Problem {
  const { additionalProperty, allowedValues } = (first?.params ?? {}) as {
    additionalProperty?: string;
    allowedValues?: unknown[];
  };
  if (additionalProperty !== undefined)
    return new Problem(
      'bad-parameter',
      `There is no parameter ${shortened(additionalProperty)}; see /docs for those there are.`,
    );
  const name = first?.instancePath.split('/')[1] ?? '';
  const allowed = allowedValues ? `: ${allowedValues.join(', ')}` : '';
  return new Problem(
    'bad-parameter',
    `The parameter ${name} ${first?.message ?? 'is not valid'}${allowed}.`,
  );
}

/** The Problem to answer an error with; an unknown error becomes the cause of an `internal` one. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const known = error instanceof Error ? fromFramework(error as FastifyError) : undefined;
  return (
    known ??
    new Problem('internal', 'Something went wrong inside the service; the log has it.', {
      cause: error,
    })
  );
}

/** Paths whose errors have the form of the Open Inference Protocol. */
const isOpenInference = (url: string): boolean => /^\/v2(?:[/?]|$)/.test(url);

/** Sends a Problem as `application/problem+json`, or as that path's protocol wants it; 429 and 503 also carry `Retry-After` (s): that of the problem, or 1. */
export function sendProblem(
  problem: Problem,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, code, message } = problem;
  notesOf(request).code = code;
  // Errors that the framework raises before a route is found run no hooks.
  reply.header('x-request-id', request.id);
  if (status === 429 || status === 503)
    reply.header('retry-after', String(problem.retryAfter ?? 1));
  if (isOpenInference(request.url))
    return reply
      .code(status)
      .type('application/json')
      .send(Buffer.from(JSON.stringify({ error: message })));
  return reply
    .code(status)
    .type('application/problem+json')
    .send(Buffer.from(JSON.stringify(problemBody(problem, request.originalUrl))));
}

/** The longest `detail` and `instance`, characters; a detail may list models or parameters. */
const MAX_DETAIL = 1000;
const MAX_INSTANCE = 200;

/** The fields of a Problem by RFC 9457; `instance` is the URL of the request, without its query where that is long. */
export const problemBody = ({ status, code, message }: Problem, instance: string) => ({
  type: `urn:stopwise:problem:${code}`,
  title: problems[code].title,
  status,
  code,
  detail: message.length > MAX_DETAIL ? `${message.slice(0, MAX_DETAIL)}…` : message,
  instance:
    instance.length > MAX_INSTANCE
      ? (instance.split('?')[0] ?? '').slice(0, MAX_INSTANCE)
      : instance,
});

/**
 * Answers errors as Problems, logging `internal` ones. An unknown route gives 404, or 405 with
 * `Allow` where its path takes another method.
 */
export function installProblems(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.code === 'internal')
      request.log.error({ err: problem.cause ?? error }, 'request failed');
    return sendProblem(problem, request, reply);
  });
  app.setNotFoundHandler((request, reply) => {
    const [path = '/'] = request.url.split('?');
    const methods = (['GET', 'POST'] as const).filter((method) => {
      const route = method === request.method ? null : app.findRoute({ method, url: path });
      // The page's wildcard matches every path, most of which it has no file for.
      return route !== null && !route.params['*'];
    });
    if (methods.length === 0)
      return sendProblem(
        new Problem('not-found', `There is nothing at ${shortened(path)}; see /docs.`),
        request,
        reply,
      );
    reply.header('allow', methods.join(', '));
    return sendProblem(
      new Problem('method-not-allowed', `${shortened(path)} takes ${methods.join(', ')}.`),
      request,
      reply,
    );
  });
}
