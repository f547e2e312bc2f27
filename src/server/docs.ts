/** Serves the OpenAPI document and Swagger UI. */
import { readFile } from 'node:fs/promises';
import swagger, { type StaticDocumentSpec } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { pagePolicy } from './browser.ts';
import { ProblemSchema, completeBodies } from './openapi.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Documentation of bodies and answers, which fastify does not validate or serialise by. */
    openapi?: object;
  }
}

/** What the OpenAPI document says of the service as a whole. */
export interface DocsOptions {
  readonly version: string;
  /** Path prefix that clients see. */
  readonly basePath: string;
  /** Whether callers need a bearer token. */
  readonly tokens: boolean;
}

// The same distance from `src/server` and from `dist/server`.
const pageFile = (name: string): Promise<string> =>
  readFile(new URL(`../../public/${name}`, import.meta.url), 'utf8');

/** Collects the OpenAPI document; only routes that are added afterwards are documented. */
export async function installDocs(
  app: FastifyInstance,
  { version, basePath, tokens }: DocsOptions,
): Promise<void> {
  app.addSchema(ProblemSchema);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'stopwise',
        version,
        description:
          'Networks that stop when they are done: each answer says at which depth, and why.',
      },
      servers: [{ url: basePath || '/' }],
      ...(tokens && {
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        security: [{ token: [] }],
      }),
      tags: [
        { name: 'tasks' },
        { name: 'open inference' },
        { name: 'models' },
        { name: 'operations' },
      ],
    },
    refResolver: {
      buildLocalReference: ({ $id }, _base, _fragment, i) =>
        ($id as string | undefined) ?? `schema-${i}`,
    },
    transform: ({ schema, url, route }) => ({
      schema: { ...schema, ...route.config?.openapi },
      url,
    }),
    transformObject: (whole) => {
      if ('swaggerObject' in whole) return whole.swaggerObject;
      completeBodies(whole.openapiObject as Parameters<typeof completeBodies>[0]);
      return whole.openapiObject;
    },
  });
}

/** Adds `/openapi.json` and `/docs`, in the app whose document it is. */
export async function installDocsPage(app: FastifyInstance, basePath = ''): Promise<void> {
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    indexPrefix: basePath,
    staticCSP: pagePolicy(true),
    theme: {
      title: 'stopwise API',
      css: [{ filename: 'docs.css', content: await pageFile('docs.css') }],
      js: [{ filename: 'docs.js', content: await pageFile('docs.js') }],
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}

/** Adds `/openapi.json` and `/docs` of another app's document. */
export async function serveDocument(app: FastifyInstance, document: unknown): Promise<void> {
  const specification = { document } as StaticDocumentSpec;
  await app.register(swagger, { mode: 'static', specification });
  await installDocsPage(app);
}
