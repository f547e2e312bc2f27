/** Workers as threads: both ends of the line. A thread is never ended while a session of it runs, which would end the process. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerOptions } from './messages.ts';
import { serve } from './worker.ts';
import type { TaskDecoder } from './types.ts';

interface Start {
  readonly options: WorkerOptions;
  readonly settings: unknown;
}

/** The service's end of the line to a worker. */
export interface WorkerHandle {
  post(message: ToWorker, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: FromWorker) => void): void;
  /** Called once when the worker has ended, with what ended it where it was not asked to. */
  onExit(listener: (reason: string | undefined) => void): void;
}

/** @param settings what the entry's tasks are set up with */
export function startThread(entry: URL, options: WorkerOptions, settings: unknown): WorkerHandle {
  const worker = new Worker(entry, { workerData: { options, settings } satisfies Start });
  let reason: string | undefined;
  worker.on('error', (error) => (reason = error instanceof Error ? (error.stack ?? error.message) : String(error)));
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) => worker.on('message', listener),
    onExit: (listener) => worker.on('exit', (code) => listener(reason ?? (code === 0 ? undefined : `exit code ${code}`))),
  };
}

/** What a worker's entry calls: serves the line to the thread that started it. */
export async function serveThread(tasks: (settings: unknown) => Readonly<Record<string, TaskDecoder>>): Promise<void> {
  const port = parentPort;
  if (isMainThread || !port) throw new Error('This file is the entry of a worker thread.');
  const { options, settings } = workerData as Start;
  await serve(
    {
      post: (message, transfer = []) => port.postMessage(message, [...transfer]),
      onMessage: (listener) => port.on('message', listener),
      close: () => port.close(),
    },
    options,
    tasks(settings),
  );
}
