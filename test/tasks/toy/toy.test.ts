/** A new task is one folder and one line in the registry: added to a copy of the sources, compiled and served. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SCHEMA_VERSION } from '../../../src/bundle/manifest.ts';
import { writeBundle } from '../../../src/bundle/write.ts';
import { Parameters, type Family } from '../../../src/families/family.ts';
import { mul } from '../../../src/graph/operators.ts';
import { lower, perSample } from '../../../src/training/export.ts';
import { startProcess } from '../../service/process.ts';

const halving: Family = {
  name: 'halving',
  depth: 1,
  exits: [1],
  inputs: { numbers: ['N', 'k'] },
  outputs: ['halves'],
  parameters: new Parameters().all,
  layer: (_, { numbers }) => ({ halves: mul(numbers!, 0.5) }),
  policy: () => {
    throw new Error('one exit needs no policy');
  },
};

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'toy-'));
  for (const name of ['src', 'package.json', 'tsconfig.json', 'docs/samples', 'public'])
    cpSync(name, join(root, name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  mkdirSync(join(root, 'src/tasks/halve'));
  // In the folder of the tasks the imports are shorter than in the test's.
  const folder = readFileSync('test/tasks/toy/halve/serve.ts', 'utf8');
  writeFileSync(
    join(root, 'src/tasks/halve/serve.ts'),
    folder.replaceAll('../../../../src/tasks/', '../'),
  );
  const registry = join(root, 'src/tasks/serving.ts');
  const line = "export { halve } from './halve/serve.ts';\n";
  writeFileSync(registry, readFileSync(registry, 'utf8') + line);
  const compiler = resolve('node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-p', root, '--noCheck']);
  const { contents, ...lowered } = lower(halving, new Map(), {
    ...perSample,
    symbols: { N: 1, k: 1 },
  });
  await writeBundle(
    join(root, 'models/halver'),
    {
      schema_version: SCHEMA_VERSION,
      name: 'halver',
      version: '1',
      task: 'halve',
      default: true,
      ...lowered,
      training: {},
      task_files: [],
    },
    contents,
  );
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('is served, described and counted like any other', async () => {
  const env = { MODELS_DIR: join(root, 'models') };
  const { child, url, ended } = await startProcess(env, [join(root, 'dist/main.js')]);
  try {
    const post = (body: object) =>
      fetch(`${url}/v1/halve`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect(await (await post({ numbers: [3, -5] })).json()).toMatchObject({
      model: 'halver',
      halves: [1.5, -2.5],
      depth: 1,
    });
    expect((await post({ numbers: 'many' })).status).toBe(400);
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(document.paths)).toContain('/v1/halve');
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(
      /stopwise_requests_total\{model="halver",outcome="ok"\} 1/,
    );
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}, 120_000);
