/** What the clients need, installed under node_modules/.cache when a check first asks for it. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { installPerfAnalyzer, PERF_ANALYZER, perfAnalyzerIn } from './perf-analyzer.ts';
import { run } from './run.ts';

const LIMIT = { timeout: 600_000 };

export const here = resolve('scripts/clients');
export const cache = resolve('node_modules/.cache/clients');

const UV = 'uv==0.13.9';
const NODE_PACKAGES = [
  'openapi-typescript@7.13.0',
  'openapi-fetch@0.17.0',
  'typescript@5.9.3',
  '@types/node@20',
];

/** What each gives is named before it. */
const installers = {
  /** The program uv, which resolves KServe's seventy packages in seconds where pip takes minutes. */
  async uv() {
    const folder = await installed('uv', UV, async (target) => {
      await run('python3', ['-m', 'venv', target]);
      await run(inVenv(target, 'python'), ['-m', 'pip', 'install', '--quiet', UV], LIMIT);
    });
    return inVenv(folder, 'uv');
  },
  /** A Python with the clients but KServe's, and what the examples need. */
  python: () => pythonWith('python', 'requirements.txt'),
  /** A Python with KServe's SDK, which has bounds of its own on the same packages. */
  kserve: () => pythonWith('kserve', 'requirements-kserve.txt'),
  /** A Python with schemathesis, which makes requests from an OpenAPI document. */
  schemathesis: () => pythonWith('schemathesis', 'requirements-schemathesis.txt'),
  /** A folder with node_modules. */
  npm: () =>
    installed('npm', NODE_PACKAGES.join(), async (folder) => {
      const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
      await run('npm', ['install', '--prefix', folder, ...quiet, ...NODE_PACKAGES], LIMIT);
    }),
  /** The program perf_analyzer. */
  async perf_analyzer() {
    const uv = await needed('uv');
    const folder = await installed('perf_analyzer', PERF_ANALYZER, (target) =>
      installPerfAnalyzer(uv, target),
    );
    return perfAnalyzerIn(folder);
  },
  /** The program curl, which is not installed. */
  async curl() {
    await run('curl', ['--version']);
    return 'curl';
  },
} satisfies Record<string, () => Promise<string>>;

/** Something that checks need. */
export type Need = keyof typeof installers;

/** A need that cannot be met; the checks with it are skipped. */
export class Unavailable extends Error {}

const asked = new Map<Need, Promise<string>>();

/** Installs at most once. @throws Unavailable with the reason */
export function needed(need: Need): Promise<string> {
  const found =
    asked.get(need) ?? installers[need]().catch((error: unknown) => refuse(need, error));
  asked.set(need, found);
  return found;
}

function refuse(need: Need, error: unknown): never {
  if (error instanceof Unavailable) throw error;
  const lines = (error as Error).message.trim().split('\n');
  // The last lines of pip and uv, the first ones of npm.
  const reason = lines.find((line) => /error/i.test(line)) ?? lines.at(-1);
  throw new Unavailable(`no ${need}: ${reason}`);
}

/** A program of a virtual environment. */
export function inVenv(folder: string, program: string): string {
  return process.platform === 'win32'
    ? join(folder, 'Scripts', `${program}.exe`)
    : join(folder, 'bin', program);
}

/** The virtual environment of a Python. */
export const venvOf = (python: string): string => dirname(dirname(python));

async function pythonWith(name: string, requirements: string): Promise<string> {
  const file = join(here, requirements);
  const uv = await needed('uv');
  const folder = await installed(name, await readFile(file, 'utf8'), async (target) => {
    await run('python3', ['-m', 'venv', '--without-pip', target]);
    const into = ['--python', inVenv(target, 'python')];
    await run(uv, ['pip', 'install', '--quiet', ...into, '-r', file], LIMIT);
  });
  return inVenv(folder, 'python');
}

/** A folder of the cache; a stamp says for which versions it was filled. */
async function installed(
  name: string,
  versions: string,
  install: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(cache, name);
  const stamp = join(cache, `${name}.stamp`);
  if ((await readFile(stamp, 'utf8').catch(() => undefined)) === versions) return folder;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const start = Date.now();
  await install(folder);
  await writeFile(stamp, versions);
  console.log(`${name}: installed in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  return folder;
}
