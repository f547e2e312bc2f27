/** The service that the clients call. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Where it listens. */
export interface Service {
  /** `http://HOST:PORT` */
  readonly url: string;
  /** `HOST:PORT` of HTTP */
  readonly host: string;
  /** `HOST:PORT` of gRPC */
  readonly grpc: string;
}

/** Runs `work` against a service with one worker that lets its models be loaded and unloaded. @throws where it does not start */
export async function withService(work: (service: Service) => Promise<void>): Promise<void> {
  const grpcPort = await freePort();
  const env = {
    ...process.env,
    PORT: '0',
    HOST: '127.0.0.1',
    GRPC_PORT: String(grpcPort),
    WORKERS: '1',
    ALLOW_REPOSITORY: 'true',
    LOG_LEVEL: 'info',
    EXECUTION_PROVIDER: 'cpu',
  };
  const child = spawn(process.execPath, ['dist/main.js'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((found, lost) => {
    let said = '';
    // Kept after the start as well: a full pipe would hold the service up.
    child.stdout.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-10_000);
      const address = /listening at (http:[^"]+)"/.exec(said)?.[1];
      if (address) found(address);
    });
    child.once('exit', () => lost(new Error(`the service did not start: ${said}`)));
  });
  try {
    await work({ url, host: new URL(url).host, grpc: `127.0.0.1:${grpcPort}` });
  } finally {
    const ended = child.exitCode === null ? once(child, 'exit') : undefined;
    child.kill('SIGTERM');
    await ended;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
