/** The size of libuv's thread pool in the service, as `npm start` and the image start it. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

/** Prints the threads that the pool starts with its first work, which is reading this module at the latest. */
const PROBE = `
import { readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
await stat('.');
console.log(readdirSync('/proc/self/task').length);
`;
let probe: string;
beforeAll(async () => {
  probe = join(await mkdtemp(join(tmpdir(), 'stopwise-')), 'probe.mjs');
  await writeFile(probe, PROBE);
});

/** Node's options in front of the module that starts the service. */
const commands: Readonly<Record<string, () => Promise<string[]>>> = {
  'npm start': async () => {
    const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
      scripts: { start: string };
    };
    const [, ...words] = scripts.start.split(' ');
    return words.slice(0, words.indexOf('scripts/run.mjs'));
  },
  'the image': async () => {
    const file = await readFile('Dockerfile', 'utf8');
    const [, ...words] = JSON.parse(/^CMD (\[.*\])$/m.exec(file)![1]!) as string[];
    expect(file).toMatch(/^COPY scripts\/thread-pool\.cjs \.\/$/m);
    return words
      .slice(0, words.indexOf('dist/main.js'))
      .map((word) => (word.endsWith('.cjs') ? `./scripts/${basename(word)}` : word));
  },
};

async function threads(options: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [...options, probe], {
    // Nothing of the caller's environment, which may set sizes too.
    env: { ...env },
  });
  return Number(stdout);
}

describe.skipIf(process.platform !== 'linux').each(Object.keys(commands))('%s', (name) => {
  it('has two threads for each worker and four more, unless told otherwise', async () => {
    const options = await commands[name]!();
    const bare = (await threads([], { UV_THREADPOOL_SIZE: '1' })) - 1;
    const pool = async (env: NodeJS.ProcessEnv): Promise<number> =>
      (await threads(options, env)) - bare;
    expect(await pool({ WORKERS: '5' })).toBe(14);
    expect(await pool({})).toBe(2 * availableParallelism() + 4);
    expect(await pool({ WORKERS: '0', INTRA_OP_THREADS: '1000' })).toBe(6);
    expect(await pool({ WORKERS: '5', UV_THREADPOOL_SIZE: '3' })).toBe(3);
  });
});
