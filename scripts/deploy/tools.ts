/** The tools of the check: found, or installed with the ordinary package clients, or skipped with the reason. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'stopwise');
const goBin = join(cache, 'bin');
/** With `--strict` a skipped step is a failure, so tools get the time that they need. */
export const isStrict = process.argv.includes('--strict');
/** Building Helm takes minutes; Go keeps what is compiled, so that the next try goes on from there. */
const BUILD_LIMIT_MS = isStrict ? 1_200_000 : 90_000;
const DOWNLOAD_LIMIT_MS = isStrict ? 300_000 : 60_000;

const goTools = {
  // The loader of docker compose: schema, interpolation, consistency.
  'compose-spec': 'github.com/compose-spec/compose-go/v2/cmd@v2.16.2',
  helm: 'helm.sh/helm/v3/cmd/helm@v3.19.0',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0',
} as const;

/** A missing tool; the step that needs it is skipped. */
export class Unavailable extends Error {}

/** Runs a program and gives its standard output. @throws an error with its output where it fails */
export function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args[0]} failed:\n${stdout}${stderr}`);
  return stdout;
}

const onPath = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** A program of a Debian package; installed where it is missing and apt-get may. */
export function fromDebian(program: string, debianPackage: string): string {
  if (!onPath(program) && onPath('apt-get') && process.getuid?.() === 0)
    spawnSync(
      'sh',
      ['-c', `apt-get update -qq; apt-get install -y -qq --no-install-recommends ${debianPackage}`],
      { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } },
    );
  if (!onPath(program))
    throw new Unavailable(`${program} is missing (Debian's package ${debianPackage})`);
  return program;
}

/** A program written in Go; built into the user's cache where it is missing. */
export function fromGo(program: keyof typeof goTools): string {
  if (onPath(program)) return program;
  const file = join(goBin, program);
  if (existsSync(file)) return file;
  if (!onPath('go')) throw new Unavailable(`${program} is missing, and so is Go to build it`);
  const built = join(goBin, `build-${program}`);
  const { status, signal, stderr } = spawnSync('go', ['install', goTools[program]], {
    env: { ...process.env, GOBIN: built },
    timeout: BUILD_LIMIT_MS,
    encoding: 'utf8',
  });
  if (signal)
    throw new Unavailable(
      `${program} was not built within ${BUILD_LIMIT_MS / 1000} s; the next run goes on from there`,
    );
  if (status !== 0) throw new Unavailable(`${program} cannot be built: ${stderr.trim()}`);
  const [path = ''] = goTools[program].split('@');
  renameSync(join(built, basename(path)), file);
  return file;
}

/** The folder of a Go module's source. */
export function goModule(module: string): string {
  if (!onPath('go')) throw new Unavailable(`Go is missing, which fetches ${module}`);
  const { status, stdout } = spawnSync('go', ['mod', 'download', '-json', module], {
    encoding: 'utf8',
    timeout: DOWNLOAD_LIMIT_MS,
  });
  if (status !== 0) throw new Unavailable(`the module ${module} cannot be fetched`);
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}

/** The folder into which a Python package was unpacked. */
export function pythonPackage(name: string, version: string): string {
  const folder = join(cache, `${name}-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const { status } = spawnSync(
    'python3',
    ['-m', 'pip', 'install', '-q', '--no-deps', '--target', folder, `${name}==${version}`],
    { timeout: DOWNLOAD_LIMIT_MS },
  );
  if (status !== 0) throw new Unavailable(`the package ${name} ${version} cannot be fetched`);
  return folder;
}
