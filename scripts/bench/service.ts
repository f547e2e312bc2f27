/** Starts the service as `npm start` does, to load it over a socket. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import autocannon from 'autocannon';
import { builtUrl } from '../../src/util/built-url.ts';
import { fileURLToPath } from 'node:url';

export interface Service {
  readonly url: string;
  readonly pid: number;
  /** Value of the first series of a metric. */
  metric(name: string): Promise<number>;
  /** Resident memory of its process and worker processes, bytes, from /proc. */
  memory(): Promise<number>;
  close(): Promise<void>;
  /** Its last log lines. */
  log(): readonly string[];
  /** The signal or exit code it ended with, where it did. */
  ending(): string | number | undefined;
}

/** What the container image sets of glibc's memory allocation. */
export const IMAGE_ENV = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '16777216',
  MALLOC_TRIM_THRESHOLD_: '67108864',
} as const;

/** Log lines that are kept. */
const MAX_LOG = 20;

export async function startService(
  modelsDir: string,
  env: Record<string, string> = {},
): Promise<Service> {
  const main = fileURLToPath(builtUrl(new URL('../../src/main.ts', import.meta.url)));
  const child = spawn(process.execPath, [main], {
    env: {
      ...process.env,
      PORT: '0',
      HOST: '127.0.0.1',
      MODELS_DIR: modelsDir,
      EXECUTION_PROVIDER: 'cpu',
      LOG_LEVEL: 'info',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const log: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      log.push(line);
      if (log.length > MAX_LOG) log.shift();
      const address = /listening at (http:\S+?)"/.exec(line);
      if (address) resolve(address[1]!);
    });
    child.once('exit', (code) =>
      reject(new Error(`The service ended with ${code} before it answered.`)),
    );
  });
  return {
    url,
    pid: child.pid!,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const line = text
        .split('\n')
        .find((candidate) => candidate.startsWith(`${name} `) || candidate.startsWith(`${name}{`));
      if (!line) throw new Error(`There is no metric ${name}.`);
      return Number(line.slice(line.lastIndexOf(' ') + 1));
    },
    memory: () => resident(child.pid!),
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
    log: () => log,
    ending: () => child.signalCode ?? child.exitCode ?? undefined,
  };
}

async function resident(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'))
    .split(' ')
    .filter((id) => id !== '');
  const theirs = await Promise.all(children.map((id) => resident(Number(id))));
  // A process that has ended but was not waited for has no such line.
  const own = 1024 * Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0);
  return theirs.reduce((a, b) => a + b, own);
}

/** The most memory that a process, without worker processes, ever had resident, bytes. */
export async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return 1024 * Number(/^VmHWM:\s*(\d+)/m.exec(status)?.[1] ?? 0);
}

export interface Load {
  readonly path: string;
  readonly body: Buffer;
  readonly contentType: string;
  readonly connections: number;
  readonly seconds: number;
}

/** Applies a load. @returns requests per second and p99 latency, ms. @throws Error on errors and answers other than 2xx. */
export async function load(
  { url }: Service,
  { path, body, contentType, connections, seconds }: Load,
): Promise<{ rate: number; p99: number }> {
  const result = await autocannon({
    url: `${url}${path}`,
    method: 'POST',
    headers: { 'content-type': contentType },
    body,
    connections,
    duration: seconds,
    timeout: 60,
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${path}: ${result.non2xx} answers were not 2xx, ${result.errors} failed.`);
  return { rate: result.requests.average, p99: result.latency.p99 };
}
