// Goes through the Dockerfile's steps in clean folders, without a Docker engine, then runs the result as the image would:
// another user, nothing writable, no other environment. It must turn healthy, answer, and go down on SIGTERM.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const scratch = mkdtempSync(join(tmpdir(), 'image-'));
const stages = [];
const globals = {};

const instructions = readFileSync('Dockerfile', 'utf8')
  .split('\n')
  .filter((line) => !/^\s*(#|$)/.test(line))
  .join('\n')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .map((line) => /^(\w+)\s+(.*)$/.exec(line.trim()).slice(1));

const run = {
  FROM(words, env) {
    const [, name = String(stages.length)] = / AS (\S+)$/.exec(words) ?? [];
    const root = join(scratch, name);
    mkdirSync(root);
    stages.push({ name, root, env: { ...env }, folder: root, labels: {}, packages: [] });
  },
  ARG: (words, env) => assign(words, env),
  ENV: (words, env) => assign(words, env),
  WORKDIR(words, _, stage) {
    stage.folder = join(stage.root, words);
    mkdirSync(stage.folder, { recursive: true });
  },
  COPY(words, _, stage) {
    const [, other, paths] = /^(?:--from=(\S+) )?(.*)$/.exec(words);
    const list = paths.split(' ');
    const to = list.pop();
    const from = other ? stages.find(({ name }) => name === other).root : process.cwd();
    for (const path of list) {
      // What a base image holds outside the work folder is this machine's own.
      if (other && !path.startsWith('/app/')) continue;
      const target = to.endsWith('/')
        ? join(stage.folder, to, basename(path))
        : join(stage.folder, to);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(from, path), target, { recursive: true, verbatimSymlinks: true });
    }
  },
  RUN(words, env, stage) {
    // System packages are this machine's own; that they are asked for is checked.
    if (words.startsWith('apt-get ')) {
      stage.packages.push(...words.split(/\s+/));
      return;
    }
    const { status } = spawnSync('sh', ['-ec', words], {
      cwd: stage.folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 2, 2],
    });
    if (status !== 0) throw new Error(`RUN ${words} ended with ${status}`);
  },
  USER: (words, _, stage) => ([stage.uid, stage.gid] = words.split(':').map(Number)),
  EXPOSE: () => undefined,
  LABEL(words, env, stage) {
    const [, name, value] = /^([\w.]+)=(.*)$/.exec(words);
    stage.labels[name] = value
      .replace(/^"(.*)"$/, '$1')
      .replace(/\$\{(\w+)\}/g, (_, arg) => env[arg] ?? '');
  },
  HEALTHCHECK(words, _, stage) {
    stage.health = JSON.parse(/CMD (.*)$/.exec(words)[1]);
    stage.startPeriod = Number(/--start-period=(\d+)s/.exec(words)?.[1] ?? 0);
  },
  CMD: (words, _, stage) => (stage.command = JSON.parse(words)),
};

function assign(words, env) {
  const [, name, value = ''] = /^(\w+)(?:=(.*))?$/.exec(words);
  env[name] = process.env[`BUILD_${name}`] ?? value;
}

async function check() {
  for (const [name, words] of instructions) {
    const stage = stages.at(-1);
    if (!run[name])
      throw new Error(`The Dockerfile has an instruction ${name} that is not checked here.`);
    run[name](words, stage?.env ?? globals, stage);
  }
  const { root, folder, env, command, health, uid, gid } = stages.at(-1);
  checkContents(folder);
  checkMetadata(stages.at(-1));
  spawnSync('chmod', ['-R', 'a-w,a+rX', root]);
  spawnSync('chmod', ['a+rx', scratch]);
  const size = Number(spawnSync('du', ['-sk', root], { encoding: 'utf8' }).stdout.split('\t')[0]);
  const port = await freePort();
  const as = process.getuid?.() === 0 ? { uid, gid } : {};
  const options = {
    cwd: folder,
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, ...env, PORT: String(port) },
    ...as,
  };
  const service = spawn(command[0], command.slice(1), {
    ...options,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const healthy = () => spawnSync(health[0], health.slice(1), options).status === 0;
  for (let left = 60; !healthy(); left--) {
    if (left === 0 || service.exitCode !== null)
      throw new Error('The service did not turn healthy.');
    await sleep(1000);
  }
  const answer = await fetch(`http://127.0.0.1:${port}/v1/recover`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: readFileSync('docs/samples/measurements.json'),
  });
  if (!answer.ok) throw new Error(`The service answered ${answer.status}: ${await answer.text()}`);
  for (const path of ['', 'page.js', 'samples/clean.jpg', 'pictures/orange.svg']) {
    const { status } = await fetch(`http://127.0.0.1:${port}/${path}`);
    if (status !== 200) throw new Error(`The page's /${path} gives ${status}.`);
  }
  service.kill('SIGTERM');
  const [code] = await once(service, 'exit');
  if (code !== 0) throw new Error(`On SIGTERM the service ended with ${code}.`);
  console.log(
    `The image's steps hold: ${Math.round(size / 1024)} MiB beside Node, healthy and answering as user ${as.uid ?? process.getuid?.()}, nothing writable, no code for development.`,
  );
}

/** Neither benchmarks nor tables of the paper, and no package that package-lock.json marks as for development alone. */
function checkContents(folder) {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const unwanted = [
    'scripts',
    'test',
    ...['bench', 'paper', 'plots', 'reproduce'].map((name) => join('dist', name)),
    ...Object.keys(packages).filter((path) => packages[path].dev),
  ].filter((path) => existsSync(join(folder, path)));
  if (unwanted.length > 0) throw new Error(`The image holds ${unwanted.join(', ')}.`);
}

/** Seconds; the warm-up takes 10 s of CPU time, on a machine that may give a quarter of a core. */
const LEAST_START_PERIOD = 40;
const LABELS = ['title', 'description', 'licenses', 'version', 'revision'];

/** What Docker alone reads: labels, system packages and the start period. */
function checkMetadata({ labels, packages, startPeriod }) {
  const missing = LABELS.filter((name) => !labels[`org.opencontainers.image.${name}`]);
  if (missing.length > 0) throw new Error(`The image has no label ${missing.join(', ')}.`);
  if (!packages.includes('libvulkan1')) throw new Error('The image does not install libvulkan1.');
  if (startPeriod < LEAST_START_PERIOD)
    throw new Error(
      `The health check's start period is ${startPeriod} s; a start takes up to ${LEAST_START_PERIOD} s.`,
    );
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

try {
  await check();
} catch (error) {
  console.error(`check-image: ${error.message}`);
  process.exitCode = 1;
} finally {
  spawnSync('chmod', ['-R', 'u+w', scratch]);
  rmSync(scratch, { recursive: true, force: true });
}
