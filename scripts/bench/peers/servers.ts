/** The servers that are compared: how each is started, and where it takes which request. */
import { spawn } from 'node:child_process';
import { access, constants, mkdtemp, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { builtUrl } from '../../../src/util/built-url.ts';
import { environment } from './environments.ts';
import type { Graphs } from './plain-graphs.ts';
import { usageOf } from './processes.ts';
import type { Body, Kind } from './requests.ts';

/** A server under test. */
export interface Server {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  /** Where and how it takes the kinds of requests that it serves. */
  readonly takes: Peer['takes'];
  /** CPU time from its start to its first answer, s, and the memory it then holds, bytes. */
  readonly start: { readonly cpu: number; readonly memory: number };
  close(): Promise<void>;
}

interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** How a server is started and asked. */
export interface Peer {
  readonly name: string;
  /** @throws Error in one line where it cannot be had here */
  command(port: number, graphs: Graphs): Promise<Command>;
  readonly takes: Partial<Readonly<Record<Kind, { readonly path: string; readonly body: Body }>>>;
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const FOLDER = here('.');
const NODE_SERVER = fileURLToPath(new URL('node-server.mjs', import.meta.url));

/** This service as `npm start` runs it, with all shipped bundles. */
export const ownService = (modelsDir: string, denoiser: string, depth: number): Peer => {
  const full = `/v1/denoise?model=${denoiser}&rule=fixed&depth=${depth}`;
  return {
    name: 'stopwise',
    command: (port) =>
      Promise.resolve({
        file: process.execPath,
        args: [fileURLToPath(builtUrl(new URL('../../../src/main.ts', import.meta.url)))],
        env: {
          PORT: String(port),
          HOST: '127.0.0.1',
          MODELS_DIR: modelsDir,
          EXECUTION_PROVIDER: 'cpu',
          LOG_LEVEL: 'warn',
          WORKERS: '2',
        },
      }),
    takes: {
      json: { path: '/v1/recover', body: 'json' },
      binary: { path: '/v1/recover', body: 'raw' },
      png: { path: full, body: 'raw' },
      adaptive: { path: `/v1/denoise?model=${denoiser}`, body: 'raw' },
    },
  };
};

const graphEnv = ({ recovery, denoiser }: Graphs) => ({ RECOVERY: recovery, DENOISER: denoiser });
const plain = {
  json: { path: '/json', body: 'json' },
  binary: { path: '/binary', body: 'raw' },
  png: { path: '/png', body: 'raw' },
} as const;

/** Each as its documentation recommends for two cores: two processes, one thread for each session. */
export const peers: readonly Peer[] = [
  {
    name: 'node:http',
    command: (port, { recovery, denoiser }) =>
      Promise.resolve({
        file: process.execPath,
        args: [NODE_SERVER, String(port), recovery, denoiser],
      }),
    takes: plain,
  },
  {
    name: 'FastAPI',
    async command(port, graphs) {
      const packages = ['fastapi', 'uvicorn[standard]', 'orjson', 'onnxruntime', 'pillow'];
      const bin = await environment('fastapi', packages);
      const own = ['fastapi_server:app', '--workers', '2', '--port', String(port)];
      return {
        file: join(bin, 'uvicorn'),
        args: [...own, '--no-access-log', '--log-level', 'warning'],
        env: graphEnv(graphs),
        cwd: FOLDER,
      };
    },
    takes: plain,
  },
  {
    name: 'LitServe',
    async command(port, graphs) {
      const bin = await environment('litserve', [
        'litserve',
        'onnxruntime',
        'pillow',
        'python-multipart',
      ]);
      const args = [here('litserve_server.py'), String(port)];
      return { file: join(bin, 'python'), args, env: graphEnv(graphs) };
    },
    takes: { json: plain.json, png: { path: '/png', body: 'form' } },
  },
  {
    name: 'BentoML',
    async command(port, graphs) {
      const bin = await environment('bentoml', ['bentoml', 'onnxruntime', 'pillow']);
      const env = { ...graphEnv(graphs), BENTOML_DO_NOT_TRACK: 'True', BENTOML_HOME: tmpdir() };
      const args = [
        'serve',
        'bentoml_server:Networks',
        '--port',
        String(port),
        '--host',
        '127.0.0.1',
      ];
      return { file: join(bin, 'bentoml'), args, env, cwd: FOLDER };
    },
    takes: { json: plain.json, png: plain.png },
  },
  {
    name: 'MLServer',
    async command(port, graphs) {
      const bin = await environment('mlserver', [
        'mlserver',
        'onnxruntime',
        'pillow',
        'uvloop<0.22',
      ]);
      const folder = await mlserverFolder(port, graphs);
      return { file: join(bin, 'mlserver'), args: ['start', folder], env: { PYTHONPATH: FOLDER } };
    },
    takes: { json: { path: '/v2/models/recovery/infer', body: 'v2' } },
  },
];

/** MLServer takes its settings from files. Its worker processes need shared memory; without it, one process does the work. */
async function mlserverFolder(port: number, { recovery, denoiser }: Graphs): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-mlserver-'));
  const [grpc_port, metrics_port] = [await freePort(), await freePort()];
  const settings = {
    host: '127.0.0.1',
    http_port: port,
    grpc_port,
    metrics_port,
    parallel_workers: (await isWritable('/dev/shm')) ? 2 : 0,
  };
  await writeFile(join(folder, 'settings.json'), JSON.stringify({ ...settings, debug: false }));
  for (const [name, uri] of Object.entries({ recovery, denoiser })) {
    const batches = name === 'recovery' && { max_batch_size: 16, max_batch_time: 0.001 };
    const model = {
      name,
      implementation: 'mlserver_runtime.Onnx',
      parameters: { uri },
      ...batches,
    };
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'model-settings.json'), JSON.stringify(model));
  }
  return folder;
}

const isWritable = (path: string): Promise<boolean> =>
  access(path, constants.W_OK).then(
    () => true,
    () => false,
  );

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** How long a server may take to its first answer, ms. */
const START_MS = 180_000;
const PROBE_MS = 100;

/**
 * Starts a server and waits for its first answer.
 * @param first sends a request; true where it was answered
 * @throws Error where the server ends or does not answer
 */
export async function startServer(
  peer: Peer,
  graphs: Graphs,
  first: (url: string) => Promise<boolean>,
): Promise<Server> {
  const port = await freePort();
  const { file, args, env, cwd } = await peer.command(port, graphs);
  // A group of its own, since some start further processes that outlive them.
  const child = spawn(file, args, {
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} cannot be started.`);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGTERM');
    await Promise.race([ended, sleep(5000)]);
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // All of the group have ended.
    }
  };
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_MS;
  while (!(await first(url))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await close();
      throw new Error(`${peer.name} did not answer: ${said.trim().split('\n').at(-1)}`);
    }
    await sleep(PROBE_MS);
  }
  const start = await usageOf(pid);
  return { name: peer.name, pid, url, takes: peer.takes, start, close };
}
