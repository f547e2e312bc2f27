/** Triton's perf_analyzer, a program inside a Python wheel. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.ts';

export const PERF_ANALYZER = 'perf-analyzer==2.60.0';
/** The C library that the wheel is built for. */
const GLIBC = 2.38;

/**
 * Unpacks the wheel into a folder, and on an older Debian the libraries that it needs beside it.
 * @param uv the program that installs it
 * @throws an error with the reason where it cannot run here
 */
export async function installPerfAnalyzer(uv: string, folder: string): Promise<void> {
  const glibc = glibcVersion();
  if (process.platform !== 'linux' || process.arch !== 'x64' || glibc === undefined)
    throw new Error(`it needs Linux on x86-64 with glibc ${GLIBC}`);
  const platform = ['--python-platform', `x86_64-manylinux_${String(GLIBC).replace('.', '_')}`];
  await run(uv, [
    ...['pip', 'install', '--quiet', '--no-deps', '--target', join(folder, 'wheel'), ...platform],
    PERF_ANALYZER,
  ]);
  const program = join(folder, 'wheel/perf_analyzer/bin/perf_analyzer');
  await chmod(program, 0o755);
  const loader = isOlder(glibc) ? await newerLibraries(folder, glibc) : '';
  const script = perfAnalyzerIn(folder);
  await writeFile(script, `#!/bin/sh\nexec ${loader} '${program}' "$@"\n`);
  await chmod(script, 0o755);
}

/** The script that runs the program installed in a folder. */
export const perfAnalyzerIn = (folder: string): string => join(folder, 'perf_analyzer');

/** The words before a program that run it with a newer C library than the system's. */
async function newerLibraries(folder: string, glibc: string): Promise<string> {
  try {
    await run('sh', ['scripts/clients/debian-libraries.sh', join(folder, 'debian')]);
  } catch (error) {
    const words = `it needs glibc ${GLIBC}, this is ${glibc}, and Debian 13's`;
    throw new Error(`${words} cannot be had: ${(error as Error).message.split('\n').at(-1)}`, {
      cause: error,
    });
  }
  const libraries = join(folder, 'debian/usr/lib/x86_64-linux-gnu');
  return `'${libraries}/ld-linux-x86-64.so.2' --library-path '${libraries}'`;
}

function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as {
    header: { glibcVersionRuntime?: string };
  };
  return header.glibcVersionRuntime;
}

/** Versions are 2.NN. */
const isOlder = (glibc: string): boolean => Number(glibc) < GLIBC;
