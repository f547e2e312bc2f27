/** Workers as threads: both ends of the line. A thread is never ended while a session of it runs, which would end the process. */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { Start, WorkerHandle } from './handle.ts';
import type { Line } from '../worker/loop.ts';

export function startThread(entry: URL, start: Start): WorkerHandle {
  const worker = new Worker(entry, { workerData: start });
  let reason: string | undefined;
  worker.on(
    'error',
    (error) => (reason = error instanceof Error ? (error.stack ?? error.message) : String(error)),
  );
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) => worker.on('message', listener),
    onExit: (listener) =>
      worker.on('exit', (code) =>
        listener(reason ?? (code === 0 ? undefined : `exit code ${code}`)),
      ),
  };
}

/** The worker's end, in a thread. */
export function threadLine(): { line: Line; start: Start } {
  const port = parentPort!;
  const line: Line = {
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    onMessage: (listener) => port.on('message', listener),
    close: () => port.close(),
  };
  return { line, start: workerData as Start };
}
