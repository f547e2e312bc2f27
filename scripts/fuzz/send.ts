/** Sends requests and says how they ended. */
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Shot } from './seeds.ts';

/** How a request ended: the status, `hang` after the limit, or `closed` without an answer. */
export interface Ending {
  readonly status: number | 'hang' | 'closed';
  readonly ms: number;
  readonly body: Buffer;
}

/** The service failed; a deadline that cannot be met is the request's own wish. */
export const isFailure = ({ status, body }: Ending): boolean =>
  Number(status) >= 500 && !(status === 503 && body.includes('"code":"deadline-missed"'));

/** A request that takes longer than this hangs where nothing else is asked for, ms. */
export const HANG_MS = 5_000;

export const newAgent = (connections: number): Agent =>
  new Agent({ keepAlive: true, maxSockets: connections });

/** Sends a request over HTTP. */
export function send(url: string, shot: Shot, agent: Agent, hangMs = HANG_MS): Promise<Ending> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const end = (status: Ending['status'], body = Buffer.alloc(0)): void =>
      resolve({ status, ms: performance.now() - startedAt, body });
    const headers = { ...shot.headers, 'content-length': shot.body.length };
    const sent = request(
      url,
      // `path` as it is: URL would normalise it.
      { agent, method: shot.method, path: shot.path, headers, timeout: hangMs },
      (answer: IncomingMessage) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => end(answer.statusCode ?? 0, Buffer.concat(chunks)));
        answer.on('error', () => end('closed'));
      },
    );
    sent.on('timeout', () => {
      end('hang');
      sent.destroy();
    });
    sent.on('error', () => end('closed'));
    sent.end(shot.body);
  });
}

/** Writes bytes to a connection, ends it, and waits for the service to do the same. */
export function sendBytes(url: string, bytes: Buffer, hangMs = HANG_MS): Promise<Ending> {
  const startedAt = performance.now();
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname);
    const end = (hung: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      const body = Buffer.concat(chunks);
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(body.toString('latin1', 0, 12))?.[1]);
      const ms = performance.now() - startedAt;
      resolve({ status: hung ? 'hang' : status || 'closed', ms, body });
    };
    const timer = setTimeout(() => end(true), hangMs);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.end(bytes);
  });
}
