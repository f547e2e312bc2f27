/** Serves the OpenAPI document and Swagger UI. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { ProblemSchema } from './openapi.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Documentation of bodies and answers, which fastify does not validate or serialise by. */
    openapi?: object;
  }
}

/** Adds `/openapi.json` and `/docs`; only routes that are added afterwards are documented. */
export async function installDocs(app: FastifyInstance, version: string): Promise<void> {
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
      servers: [{ url: '/' }],
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
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
