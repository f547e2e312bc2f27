/** Python environments for the peers, made once and kept under node_modules/.cache. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { messageOf } from '../../../src/util/message-of.ts';

const run = promisify(execFile);
const CACHE = fileURLToPath(
  new URL('../../../node_modules/.cache/stopwise-peers/', import.meta.url),
);
/** What an installation may take, ms: slow networks included. */
const INSTALL_MS = 600_000;

/**
 * An environment of its own for each peer, since their requirements exclude each other.
 * @param python the interpreter that it is made with
 * @returns the folder of its commands
 * @throws Error in one line where there is no Python or a package cannot be installed
 */
export async function environment(
  name: string,
  packages: readonly string[],
  python = process.env.PYTHON ?? 'python3',
): Promise<string> {
  const folder = join(CACHE, name);
  const mark = join(folder, 'installed');
  const wanted = packages.join(' ');
  if ((await readFile(mark, 'utf8').catch(() => '')) === wanted) return join(folder, 'bin');
  await rm(folder, { recursive: true, force: true });
  await mkdir(CACHE, { recursive: true });
  try {
    await run(python, ['-m', 'venv', folder]);
    const pip = ['install', '--quiet', '--disable-pip-version-check', ...packages];
    await run(join(folder, 'bin', 'pip'), pip, { timeout: INSTALL_MS });
  } catch (error) {
    const { stderr = '', killed } = error as { stderr?: string; killed?: boolean };
    const said = stderr.trim() || messageOf(error);
    const line = killed ? `it took over ${INSTALL_MS / 60_000} minutes` : said.split('\n').at(-1)!;
    throw new Error(`${wanted} cannot be installed for ${python}: ${line}`, { cause: error });
  }
  await writeFile(mark, wanted);
  return join(folder, 'bin');
}
