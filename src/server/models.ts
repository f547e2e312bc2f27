/** Routes for manifests and task files. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { manifestJsonSchema, type Manifest } from '../bundle/manifest.ts';
import { Problem } from '../errors.ts';

const Name = Type.Object({ name: Type.String() });
const NameAndFile = Type.Object({ name: Type.String(), file: Type.String() });

/**
 * Adds `/v1/models`, `/manifest.schema.json`, `/v1/models/NAME` and `/v1/models/NAME/files/FILE` (task files only).
 * An unknown name gives Problem `unknown-model`, an unknown file `not-found`.
 */
export function installModels(
  server: FastifyInstance,
  manifests: ReadonlyMap<string, Manifest>,
  directory: string,
): void {
  const find = (name: string): Manifest => {
    const manifest = manifests.get(name);
    if (!manifest)
      throw new Problem(
        'unknown-model',
        `There is no model ${name}; there are ${[...manifests.keys()].join(', ')}.`,
      );
    return manifest;
  };
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ['models'];
  app.get('/v1/models', { schema: { tags, summary: 'The manifests of all models.' } }, () => ({
    models: [...manifests.values()],
  }));
  app.get(
    '/manifest.schema.json',
    { schema: { tags, summary: 'The JSON Schema of manifest.json.' } },
    () => manifestJsonSchema,
  );
  app.get(
    '/v1/models/:name',
    { schema: { tags, summary: "A model's manifest.", params: Name } },
    ({ params }) => find(params.name),
  );
  app.get(
    '/v1/models/:name/files/:file',
    { schema: { tags, summary: 'A file of the task, such as matrix.npy.', params: NameAndFile } },
    ({ params: { name, file } }, reply) => {
      const { task_files: files } = find(name);
      if (!files.includes(file))
        throw new Problem(
          'not-found',
          `${name} has no file ${file}; it has ${files.join(', ') || 'none'}.`,
        );
      return reply
        .type(file.endsWith('.json') ? 'application/json' : 'application/octet-stream')
        .send(createReadStream(join(directory, name, file)));
    },
  );
}
