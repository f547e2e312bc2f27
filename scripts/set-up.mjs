// Installs and compiles where that is needed, with nothing but Node and npm. Two at once wait for each other.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lock = join(root, '.set-up');
const INSTALLED = join(root, 'node_modules', '.stopwise');
const BUILT = join(root, 'dist', '.stopwise');

/** Makes node_modules and dist what package-lock.json and src ask for. */
export async function setUp() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20) throw new Error(`stopwise needs Node 20 or later; this is ${process.version}.`);
  if (isInstalled() && isBuilt()) return;
  await withLock(() => {
    if (!isInstalled()) {
      run('npm', ['ci', '--no-audit', '--no-fund'], 'Installing the packages …');
      writeFileSync(INSTALLED, installStamp());
    }
    if (!isBuilt()) {
      const stamp = buildStamp();
      run(
        process.execPath,
        [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json'],
        'Compiling …',
      );
      writeFileSync(BUILT, stamp);
    }
  });
}

const isInstalled = () => read(INSTALLED) === installStamp();
const isBuilt = () => read(BUILT) === buildStamp();

const installStamp = () => digest([readFileSync(join(root, 'package-lock.json'))]);

function buildStamp() {
  const files = readdirSync(join(root, 'src'), { recursive: true })
    .map((name) => join(root, 'src', name))
    .filter((file) => file.endsWith('.ts'))
    .sort();
  return digest([
    installStamp(),
    readFileSync(join(root, 'tsconfig.json')),
    ...files.flatMap((file) => [file, readFileSync(file)]),
  ]);
}

const digest = (parts) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function run(command, args, words) {
  console.error(words);
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}.`);
}

/** Holds a folder as a lock; one that its owner left behind is taken over after ten minutes. */
async function withLock(work) {
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 600_000)
        rmSync(lock, { recursive: true, force: true });
      await sleep(200);
    }
  }
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.once('exit', release);
  try {
    work();
  } finally {
    release();
    process.removeListener('exit', release);
  }
}
