import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Process {
  readonly child: ChildProcessWithoutNullStreams;
  readonly url: string;
  /** What it said, both streams. */
  readonly said: () => string;
  /** The exit code, once it has ended. */
  readonly ended: Promise<number | null>;
}

const started = new Set<ChildProcessWithoutNullStreams>();
// A test that runs out of time may start a service after its clean-up.
process.once('exit', () => started.forEach((child) => child.kill('SIGKILL')));

/** `dist/main.js` as a process of its own, once it answers. */
export async function startProcess(
  env: Record<string, string>,
  args: readonly string[] = ['dist/main.js'],
  /** A limit for the shell's `ulimit` to set first, such as `-d 1048576`; on Linux. */
  limit?: string,
): Promise<Process> {
  const command = [process.execPath, ...args];
  const [file = '', ...rest] =
    limit === undefined ? command : ['sh', '-c', `ulimit ${limit}; exec "$0" "$@"`, ...command];
  const child = spawn(file, rest, {
    env: {
      ...process.env,
      PORT: '0',
      HOST: '127.0.0.1',
      EXECUTION_PROVIDER: 'cpu',
      WORKERS: '1',
      LOG_LEVEL: 'info',
      ...env,
    },
  });
  started.add(child);
  child.once('exit', () => started.delete(child));
  let words = '';
  const ended = new Promise<number | null>((resolve) =>
    child.once('exit', (code) => resolve(code)),
  );
  child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      words += `${line}\n`;
      const address = /listening at (http:\S+?)"/.exec(line);
      if (address) resolve(address[1]!);
    });
    void ended.then((code) => reject(new Error(`ended with ${code}: ${words}`)));
  });
  return { child, url, said: () => words, ended };
}

/** Asks until the answer is as wanted. */
export async function until(wanted: () => Promise<boolean>, seconds = 10): Promise<void> {
  for (let left = seconds * 20; !(await wanted()); left--) {
    if (left === 0) throw new Error(`not within ${seconds} s`);
    await sleep(50);
  }
}

export async function metric(url: string, series: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1));
}
