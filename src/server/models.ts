/** Routes for manifests and task files. */
import { join } from 'node:path';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { manifestJsonSchema, type Manifest } from '../bundle/manifest.ts';
import { readVerified } from '../bundle/read.ts';
import type { Engine } from '../engine/engine.ts';
import { Problem, shortened } from '../errors.ts';
import { refusalsOf } from './openapi.ts';

const Name = Type.Object({ name: Type.String() });
const NameAndFile = Type.Object({ name: Type.String(), file: Type.String() });

const MANIFESTS =
  'The manifests of all models; for each variant whether it is used on this machine and, if not, the reason.';

/** The answers as OpenAPI describes them. */
const answers = (refusals: readonly number[]) => ({
  openapi: { response: { 200: { description: 'The content.' }, ...refusalsOf(refusals) } },
});

/**
 * Adds `/v1/models`, `/manifest.schema.json`, `/v1/models/NAME` and `/v1/models/NAME/files/FILE` (task files only).
 * An unknown name gives Problem `unknown-model`, an unknown file `not-found`.
 */
export async function installModels(
  server: FastifyInstance,
  { manifests, repository }: Pick<Engine, 'manifests' | 'repository'>,
  directory: string,
): Promise<void> {
  const read = verifiedFiles(directory);
  const keep = (model: Manifest): Promise<unknown> =>
    Promise.allSettled(model.task_files.map((file) => read(model, file)));
  // What was verified when it was loaded goes on being served, also where the bundle is replaced on disk.
  await Promise.all([...manifests.values()].map(keep));
  repository.onChange((name) => {
    const loaded = manifests.get(name);
    if (loaded) void keep(loaded);
  });
  const find = (name: string): Manifest => {
    const manifest = manifests.get(name);
    if (!manifest)
      throw new Problem(
        'unknown-model',
        `There is no model ${shortened(name)}; there are ${[...manifests.keys()].join(', ')}.`,
      );
    return manifest;
  };
  const shown = ({ variants, ...manifest }: Manifest): object => ({
    ...manifest,
    ...(variants && {
      variants: variants.map((variant) => {
        const reason = repository.variantDeclined(manifest.name, variant.name);
        return { ...variant, used: reason === undefined, ...(reason !== undefined && { reason }) };
      }),
    }),
  });
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ['models'];
  app.get('/v1/models', { schema: { tags, summary: MANIFESTS } }, () => ({
    models: [...manifests.values()].map(shown),
  }));
  app.get(
    '/manifest.schema.json',
    { schema: { tags, summary: 'The JSON Schema of manifest.json.' } },
    () => manifestJsonSchema,
  );
  app.get(
    '/v1/models/:name',
    { schema: { tags, summary: "A model's manifest.", params: Name }, config: answers([404]) },
    ({ params }) => shown(find(params.name)),
  );
  app.get(
    '/v1/models/:name/files/:file',
    {
      schema: { tags, summary: 'A file of the task, such as matrix.npy.', params: NameAndFile },
      config: answers([404, 503]),
    },
    async ({ params: { name, file } }, reply) => {
      const manifest = find(name);
      const files = manifest.task_files;
      if (!files.includes(file))
        throw new Problem(
          'not-found',
          `${name} has no file ${shortened(file)}; it has ${files.join(', ') || 'none'}.`,
        );
      const content = await read(manifest, file).catch((error: unknown) => {
        app.log.warn({ err: error }, `the file ${file} of ${name} cannot be served`);
        throw new Problem('bundle-refused', `${name}: ${file} is not what its manifest says.`, {
          cause: error,
        });
      });
      return reply
        .type(file.endsWith('.json') ? 'application/json' : 'application/octet-stream')
        .send(content);
    },
  );
}

/** Reads task files, checks them against the manifest, and keeps them for as long as the manifest is served. */
function verifiedFiles(directory: string) {
  // By the list of files: a manifest is copied where it stops to be the default.
  const kept = new WeakMap<Manifest['files'], Map<string, Promise<Buffer>>>();
  return (manifest: Manifest, file: string): Promise<Buffer> => {
    const files = kept.get(manifest.files) ?? new Map<string, Promise<Buffer>>();
    kept.set(manifest.files, files);
    const content = files.get(file) ?? readVerified(join(directory, manifest.name), manifest, file);
    files.set(file, content);
    return content;
  };
}
