/** Lets in only requests for an allowed host and, where tokens are set, with one of them. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access } from '../config/access.ts';
import { Problem, shortened } from '../errors.ts';

/** Routes that need no token: health, and the page with its samples. */
const OPEN = /^\/(\*|samples\/\*|(v2\/)?health\/.*)?$/;
/** Probes come from the node or the balancer, which name the address they call. */
const HEALTH = /^\/(v2\/)?health\//;
const MANAGEMENT = /^\/(metrics|docs|openapi\.json|v2\/repository\/models)(\/|$)/;

/** Refuses requests by host (421), by a repeated Host header (400) and by token (401), before their body is read. */
export function installAccess(app: FastifyInstance, access: Access): void {
  const { api, management } = digestsOf(access);
  app.addHook('onRequest', (request, reply, done) => {
    const route = request.routeOptions.url ?? '';
    checkHost(request, HEALTH.test(route) ? [] : access.allowedHosts);
    const wanted = MANAGEMENT.test(route)
      ? management
      : OPEN.test(route) && route !== ''
        ? []
        : api;
    const error = refusal(request.headers.authorization, wanted);
    if (error === undefined) return done();
    reply.header('www-authenticate', `Bearer realm="stopwise"${error && `, error="${error}"`}`);
    done(unauthorized(error));
  });
}

const unauthorized = (error: string): Problem =>
  new Problem(
    'unauthorized',
    error
      ? 'The bearer token is not one of those that are valid here.'
      : 'Send a token: Authorization: Bearer TOKEN.',
  );

/** Checks an Authorization header as the routes of callers or of management do. @throws Problem `unauthorized` */
export function requireToken(
  access: Access,
  of: keyof ReturnType<typeof digestsOf>,
  header: string | undefined,
): void {
  const error = refusal(header, digestsOf(access)[of]);
  if (error !== undefined) throw unauthorized(error);
}

/** Tokens of callers, and of management: without any of its own those of callers count there. */
function digestsOf({ apiTokens, managementTokens }: Access) {
  const api = toDigests(apiTokens);
  return { api, management: managementTokens.length > 0 ? toDigests(managementTokens) : api };
}

/** Node takes the first of several Host headers; a proxy in front may have gone by the last. */
function checkHost({ raw, hostname }: FastifyRequest, allowed: readonly string[]): void {
  const hosts = raw.rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === 'host');
  if (hosts.length > 1) throw new Problem('bad-request', 'The request has more than one Host.');
  if (allowed.length > 0 && !allowed.includes(hostname.toLowerCase()))
    throw new Problem(
      'misdirected',
      `The host ${shortened(hostname)} is not among ALLOWED_HOSTS of this service.`,
    );
}

/**
 * Why a request may not pass: an error code of RFC 6750, empty where no token was sent; undefined where it may.
 * @param digests of the valid tokens; where empty, none is needed
 */
function refusal(header: string | undefined, digests: readonly Buffer[]): string | undefined {
  if (digests.length === 0) return undefined;
  const [, token] = /^Bearer +([^ ]+) *$/i.exec(header ?? '') ?? [];
  if (token === undefined) return '';
  const given = digest(token);
  // Every token is compared, each in constant time.
  const matches = digests.filter((known) => timingSafeEqual(known, given));
  return matches.length > 0 ? undefined : 'invalid_token';
}

const digest = (token: string): Buffer => createHash('sha256').update(token).digest();
const toDigests = (tokens: readonly string[]): Buffer[] => tokens.map(digest);
