// Proves the service with clients that others wrote or that are generated from its OpenAPI document: node scripts/clients/run.mjs
// Installs them under node_modules/.cache. Skipped, with the reason, where there is no Python or a registry cannot be reached.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setUp } from '../set-up.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const cache = join(root, 'node_modules/.cache/clients');
const venv = join(cache, 'venv');
const python = join(venv, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
const NODE_PACKAGES = [
  'openapi-typescript@7.13.0',
  'openapi-fetch@0.17.0',
  'typescript@5.9.3',
  '@types/node@20',
];
const failed = [];

await setUp();
mkdirSync(cache, { recursive: true });
const hasPython = installed('venv', readFileSync(join(here, 'requirements.txt'), 'utf8'), () => [
  ['python3', ['-m', 'venv', venv]],
  [
    python,
    [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '-r',
      join(here, 'requirements.txt'),
    ],
  ],
]);
const hasNode = installed('node', NODE_PACKAGES.join(), () => [
  [
    'npm',
    [
      'install',
      '--prefix',
      join(cache, 'node'),
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--silent',
      ...NODE_PACKAGES,
    ],
  ],
]);
if (hasPython || hasNode) await withService(prove);
if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;

/** Whether the clients are there, installing them first; a stamp says for which versions. */
function installed(name, versions, commands) {
  const stamp = join(cache, `${name}.stamp`);
  try {
    if (readFileSync(stamp, 'utf8') === versions) return true;
  } catch {
    // Not installed yet.
  }
  rmSync(join(cache, name), { recursive: true, force: true });
  mkdirSync(join(cache, name), { recursive: true });
  for (const [command, args] of commands()) {
    const { error, status, stderr } = spawnSync(command, args, {
      encoding: 'utf8',
      timeout: 600_000,
    });
    if (error || status !== 0) {
      const reason = error?.message ?? stderr.trim().split('\n').at(-1);
      console.log(`clients in ${name} skipped: ${command} could not install them (${reason})`);
      return false;
    }
  }
  writeFileSync(stamp, versions);
  return true;
}

async function withService(work) {
  const grpcPort = await freePort();
  const env = {
    ...process.env,
    PORT: '0',
    HOST: '127.0.0.1',
    GRPC_PORT: String(grpcPort),
    WORKERS: '1',
    ALLOW_REPOSITORY: 'true',
    LOG_LEVEL: 'info',
    EXECUTION_PROVIDER: 'cpu',
  };
  const service = spawn(process.execPath, [join(root, 'dist/main.js')], {
    env,
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise((found, lost) => {
    let said = '';
    service.stdout.on('data', (chunk) => {
      said += chunk;
      const address = /listening at (http:[^"]+)"/.exec(said);
      if (address) found(address[1]);
    });
    service.once('exit', () => lost(new Error(`the service did not start: ${said}`)));
  });
  try {
    await work(url, `127.0.0.1:${grpcPort}`);
  } finally {
    service.kill('SIGTERM');
  }
}

async function prove(url, grpc) {
  const openapi = join(cache, 'openapi.json');
  writeFileSync(openapi, await (await fetch(`${url}/openapi.json`)).text());
  const samples = join(root, 'docs/samples');
  if (hasPython) {
    step('tritonclient', [[python, [join(here, 'open_inference.py'), new URL(url).host, grpc]]]);
    // Its own environment: KServe's SDK brings a hundred packages, which take minutes. KSERVE_PYTHON names a Python that has it.
    const kserve = process.env.KSERVE_PYTHON;
    if (kserve) step('kserve', [[kserve, [join(here, 'kserve_client.py'), url, grpc]]]);
    else
      console.log(
        'kserve skipped: KSERVE_PYTHON names no Python with it (pip install kserve==0.21.0)',
      );
    const generator = join(dirname(python), 'openapi-python-client');
    const target = join(cache, 'python');
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target);
    copyFileSync(join(here, 'generated.py'), join(target, 'check.py'));
    step('openapi-python-client', [
      [
        generator,
        [
          'generate',
          '--path',
          openapi,
          '--output-path',
          join(target, 'generated'),
          '--meta',
          'none',
        ],
        'quiet',
      ],
      [python, [join(target, 'check.py'), url, samples]],
    ]);
  }
  if (hasNode) {
    const folder = join(cache, 'node');
    const bin = (path) => join(folder, 'node_modules', path);
    copyFileSync(join(here, 'generated.mts'), join(folder, 'check.mts'));
    const strict = [
      '--strict',
      '--target',
      'es2022',
      '--module',
      'nodenext',
      '--skipLibCheck',
      '--types',
      'node',
      '--typeRoots',
      bin('@types'),
    ];
    step('openapi-typescript', [
      [
        process.execPath,
        [bin('openapi-typescript/bin/cli.js'), openapi, '-o', join(folder, 'api.d.ts')],
        'quiet',
      ],
      [process.execPath, [bin('typescript/bin/tsc'), ...strict, join(folder, 'check.mts')]],
      [process.execPath, [join(folder, 'check.mjs'), url, samples]],
    ]);
  }
}

function step(name, commands) {
  for (const [command, args, quiet] of commands) {
    const { status, error, stdout, stderr } = spawnSync(command, args, {
      encoding: 'utf8',
      timeout: 120_000,
    });
    if (status !== 0 || error || !quiet) process.stdout.write(stdout ?? '');
    if (status === 0) continue;
    console.error(error?.message ?? stderr);
    failed.push(name);
    return;
  }
}

function freePort() {
  return new Promise((found, lost) => {
    const server = createServer();
    server.once('error', lost);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}
