/** The OpenAPI document and its page, both served from here. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

interface Described {
  readonly 'x-body'?: object;
  readonly 'x-answers'?: object;
}

export async function installDocs(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'stopwise',
        version,
        description:
          'Networks that stop when they are done: each answer says at which depth, and why.',
      },
      tags: [{ name: 'tasks' }, { name: 'models' }, { name: 'operations' }],
    },
    // Bodies and answers of the tasks are bytes to the framework; their descriptions are put in here.
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      for (const path of Object.values(document.openapiObject.paths ?? {})) {
        for (const operation of Object.values(path ?? {}) as Record<string, unknown>[]) {
          const { 'x-body': body, 'x-answers': answers } = operation as Described;
          if (body) operation.requestBody = { required: true, content: body };
          if (answers) operation.responses = answers;
          delete operation['x-body'];
          delete operation['x-answers'];
        }
      }
      return document.openapiObject;
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
