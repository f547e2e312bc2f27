/** Proves the service with clients that others wrote, clients generated from its OpenAPI document, and the examples. */
import { copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cache, here, inVenv, needed, Unavailable, venvOf } from './environments.ts';
import { closingLine, isGoodEnough, isStrict, type Outcome } from './report.ts';
import { run } from './run.ts';
import { withService, type Service } from './service.ts';

const samples = resolve('docs/samples');
const openapi = join(cache, 'openapi.json');
/** Where examples run: they read docs/samples and leave files. */
const exampleFolder = join(cache, 'examples');
const REQUESTS = 50;

/** Each gives what it has to say. @throws Unavailable where it cannot run here */
const checks: Readonly<Record<string, (service: Service) => Promise<string>>> = {
  async tritonclient({ host, grpc }) {
    return run(await needed('python'), [join(here, 'open_inference.py'), host, grpc]);
  },
  async kserve({ url, grpc }) {
    return run(await needed('kserve'), [join(here, 'kserve_client.py'), url, grpc]);
  },
  'perf_analyzer over HTTP': ({ host }) => measured('http', host),
  'perf_analyzer in batches': ({ host }) => measured('http', host, '-b', '4'),
  'perf_analyzer over gRPC': ({ grpc }) => measured('grpc', grpc),
  'perf_analyzer over a gRPC stream': ({ grpc }) =>
    measured('grpc', grpc, '--streaming', '--async'),
  async 'openapi-python-client'({ url }) {
    const python = await needed('python');
    const target = await emptyFolder('generated-python');
    await copyFile(join(here, 'generated.py'), join(target, 'check.py'));
    const generated = ['--output-path', join(target, 'generated'), '--meta', 'none'];
    const generator = inVenv(venvOf(python), 'openapi-python-client');
    await run(generator, ['generate', '--path', openapi, ...generated]);
    return run(python, [join(target, 'check.py'), url, samples]);
  },
  async schemathesis({ url }) {
    const program = inVenv(venvOf(await needed('schemathesis')), 'schemathesis');
    const conformance = ['status_code', 'content_type', 'response_headers', 'response_schema'];
    const names = ['not_a_server_error', ...conformance.map((what) => `${what}_conformance`)];
    // It would unload the models that other checks need.
    const drawn = [
      '--exclude-path-regex',
      'load$',
      '--max-examples',
      '20',
      '--seed',
      '1',
      '--phases',
      'examples,coverage,fuzzing',
    ];
    const args = ['run', openapi, '--url', url, '--checks', names.join(','), ...drawn];
    const said = await run(program, args, {
      cwd: await emptyFolder('schemathesis-run'),
      timeout: 400_000,
    });
    return /\d+ generated, .*/.exec(said)?.[0] ?? said;
  },
  async 'openapi-typescript'({ url }) {
    const folder = await needed('npm');
    const bin = (path: string) => join(folder, 'node_modules', path);
    await copyFile(join(here, 'generated.mts'), join(folder, 'check.mts'));
    const types = [openapi, '-o', join(folder, 'api.d.ts')];
    await run(process.execPath, [bin('openapi-typescript/bin/cli.js'), ...types]);
    await compile(folder, 'check.mts');
    return run(process.execPath, [join(folder, 'check.mjs'), url, samples]);
  },
  async 'examples/client.sh'({ url }) {
    await needed('curl');
    return example('sh', 'client.sh', url);
  },
  async 'examples/client.py'({ url }) {
    return example(await needed('python'), 'client.py', url);
  },
  async 'examples/client.mts'({ url }) {
    const folder = await needed('npm');
    await copyFile('examples/client.mts', join(folder, 'client.mts'));
    await compile(folder, 'client.mts');
    return run(process.execPath, [join(folder, 'client.mjs'), url], { cwd: exampleFolder });
  },
  async 'examples/recover-and-plot.py'({ url }) {
    const python = await needed('python');
    // Agg draws without a display.
    const env = { ...process.env, MPLBACKEND: 'Agg', STOPWISE_URL: url };
    return run(python, [resolve('examples/recover-and-plot.py')], { cwd: exampleFolder, env });
  },
};

/** Requests by perf_analyzer, which fails if one of them does. */
async function measured(protocol: string, address: string, ...args: string[]): Promise<string> {
  const request = ['-m', 'sparse-recovery', '-u', address, '-i', protocol];
  const count = ['--request-count', String(REQUESTS)];
  const said = await run(await needed('perf_analyzer'), [...request, ...count, ...args]);
  const answered = /Request count: (\d+)/.exec(said)?.[1];
  if (answered !== String(REQUESTS)) throw new Error(`Not ${REQUESTS} requests answered:\n${said}`);
  return `${REQUESTS} requests answered`;
}

const example = (program: string, name: string, url: string): Promise<string> =>
  run(program, [resolve('examples', name), url], { cwd: exampleFolder });

/** Checks the types of a client as its users would, and compiles it. */
async function compile(folder: string, file: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  await run(process.execPath, [
    ...[join(modules, 'typescript/bin/tsc'), '--strict', '--target', 'es2022'],
    ...['--module', 'nodenext', '--skipLibCheck', '--types', 'node'],
    ...['--typeRoots', join(modules, '@types'), join(folder, file)],
  ]);
}

async function emptyFolder(name: string): Promise<string> {
  const folder = join(cache, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

async function outcomeOf(name: string, service: Service): Promise<Outcome> {
  const start = Date.now();
  const seconds = () => `${((Date.now() - start) / 1000).toFixed(1)} s`;
  try {
    const said = await checks[name]!(service);
    console.log(`${name}: passed in ${seconds()}\n${indented(said, 160)}`);
    return { name, state: 'passed' };
  } catch (error) {
    const { message } = error as Error;
    const state = error instanceof Unavailable ? 'skipped' : 'failed';
    console.log(`${name}: ${state} after ${seconds()}\n${indented(message)}`);
    return state === 'skipped' ? { name, state, reason: message } : { name, state };
  }
}

/** Long lines are answers of the service: of a check that passed their beginnings tell enough. */
const indented = (text: string, width?: number): string =>
  text
    .trim()
    .split('\n')
    .map((line) => `  ${line.slice(0, width)}`)
    .join('\n');

await mkdir(cache, { recursive: true });
await emptyFolder('examples');
await symlink(resolve('docs'), join(exampleFolder, 'docs'), 'junction');
const outcomes: Outcome[] = [];
const start = Date.now();
await withService(async (service) => {
  await writeFile(openapi, await (await fetch(`${service.url}/openapi.json`)).text());
  for (const name of Object.keys(checks)) outcomes.push(await outcomeOf(name, service));
});
const canInstall = await needed('uv').then(
  () => true,
  () => false,
);
console.log(`${closingLine(outcomes)} in ${((Date.now() - start) / 1000).toFixed(0)} s`);
if (!isGoodEnough(outcomes, isStrict(process.argv, process.env, canInstall))) process.exitCode = 1;
