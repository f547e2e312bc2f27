import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** Runs a script of package.json in a process of its own, as `npm run NAME -- ARGS` does. */
export async function npmRun(
  name: string,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
    scripts: Record<string, string>;
  };
  const [, ...line] = scripts[name]!.split(' ');
  return new Promise((done) => {
    execFile(process.execPath, [...line, ...args], (error, out, err) => {
      done({ code: error ? Number(error.code ?? 1) : 0, out, err });
    });
  });
}
