/** A new task is one folder and a line in each registry: added to a copy of the sources, checked, compiled, trained and served. */
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readManifest } from '../../../src/bundle/read.ts';
import { startProcess } from '../../service/process.ts';

const FOLDER = 'test/tasks/toy/halve';
const LIMIT = 240_000;
let root: string;
const task = (name: string): string => join(root, 'src/tasks', name);
/** Runs Node in the copy and gives what it says. */
const node = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, args, { cwd: root })).stdout;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'toy-'));
  for (const name of ['src', 'package.json', 'tsconfig.json', 'docs/samples', 'public'])
    cpSync(name, join(root, name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  mkdirSync(task('halve'));
  for (const name of readdirSync(FOLDER)) {
    // In the folder of the tasks the imports are shorter than in the test's.
    const text = readFileSync(join(FOLDER, name), 'utf8');
    writeFileSync(task(`halve/${name}`), text.replaceAll('../../../../src/', '../../'));
  }
  appendFileSync(task('serving.ts'), "export { halve } from './halve/serve.ts';\n");
  appendFileSync(task('learning.ts'), "export { halve } from './halve/recipe.ts';\n");
  // The types of all sources would take too long; those that the task touches are checked below.
  await node(resolve('node_modules/typescript/bin/tsc'), '-p', '.', '--noCheck');
}, LIMIT);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/**
 * The type errors of these files of the copy, each with the name of its file. Of what they import only the types that
 * they use are looked at.
 */
function typeErrors(files: readonly string[]): [file: string, words: string][] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (name) =>
    ts.sys.readFile(name),
  ) as {
    config: object;
  };
  const given = { ...config, files, include: [] };
  const { options } = ts.parseJsonConfigFileContent(given, ts.sys, root);
  const program = ts.createProgram(files, { ...options, incremental: false, noEmit: true });
  return files.flatMap((file) => {
    const source = program.getSourceFile(file)!;
    return [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ].map(({ messageText }): [string, string] => [
      basename(file),
      ts.flattenDiagnosticMessageText(messageText, '\n'),
    ]);
  });
}

it(
  'has the types that the registries and their readers want',
  () => {
    const recipe = readFileSync(task('halve/recipe.ts'), 'utf8');
    const wrong = recipe.replace('calibrationLoss: 0.1', "calibrationLoss: 'little'");
    writeFileSync(task('halve/wrong.ts'), wrong);
    const own = readdirSync(task('halve')).map((name) => `halve/${name}`);
    const shared = ['serving.ts', 'learning.ts', 'by-name.ts', 'recipes.ts'];
    expect(typeErrors([...own, ...shared].map(task))).toEqual([
      ['wrong.ts', "Type 'string' is not assignable to type 'number'."],
    ]);
  },
  LIMIT,
);

it(
  'is trained, served, described and counted like any other',
  async () => {
    expect(await node('dist/cli.js', 'train', '--help')).toContain('TASK halve');
    const models = join(root, 'models');
    await node('dist/cli.js', 'train', 'halve', '--threads', '1', '--default');
    const { measured } = await readManifest(join(models, 'halver'));
    expect(measured!.exits[0]!.quality).toBeLessThan(-40);

    const env = { MODELS_DIR: models };
    const { child, url, ended } = await startProcess(env, [join(root, 'dist/main.js')]);
    try {
      const post = (body: object) =>
        fetch(`${url}/v1/halve`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
      expect(await (await post({ numbers: [3, -5, 8] })).json()).toMatchObject({
        model: 'halver',
        halves: [1.5, -2.5, 4].map((half) => expect.closeTo(half, 1) as number),
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
  },
  LIMIT,
);
