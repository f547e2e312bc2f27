/** Workers as threads: both ends of the line. */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { WorkerHandle, WorkerLine, WorkerStart } from './handle.ts';
import type { FromWorker, Several } from './messages.ts';
import { unpacked } from './outbox.ts';

/** There is no way to kill a thread here: terminate() while a session runs would abort the whole process. */
export function startThread(entry: URL, start: WorkerStart): WorkerHandle {
  const worker = new Worker(entry, { workerData: start });
  const ended = new Promise<string | undefined>((resolve) => {
    let reason: string | undefined;
    worker.on(
      'error',
      (error) => (reason = error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
    worker.on('exit', (code) => resolve(reason ?? (code === 0 ? undefined : `exit code ${code}`)));
  });
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) =>
      worker.on('message', (arrived: FromWorker | Several) => unpacked(arrived).forEach(listener)),
    onExit: (listener) => void ended.then(listener),
  };
}

/** The worker's end, inside a thread. */
export function threadLine(): { line: WorkerLine; start: WorkerStart } {
  if (!parentPort) throw new Error('threadLine was called outside a worker thread');
  const port = parentPort;
  const line: WorkerLine = {
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    onMessage: (listener) => port.on('message', listener),
    close: () => port.close(),
  };
  return { line, start: workerData as WorkerStart };
}
