/** The service's end of the line to a worker, whatever the worker is. */
import type { FromWorker, ToWorker, WorkerOptions } from './messages.ts';
import { startProcess } from './processes.ts';
import { startThread } from './threads.ts';

export interface WorkerHandle {
  /** `transfer`: buffers that may be handed over instead of copied. */
  post(message: ToWorker, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: FromWorker) => void): void;
  /** Called once when the worker has ended, with what ended it where it was not asked to. */
  onExit(listener: (reason: string | undefined) => void): void;
}

/** What a worker is started with. */
export interface Start {
  readonly options: WorkerOptions;
  /** What the entry's tasks are set up with; data. */
  readonly settings: unknown;
}

/** A thread shares its memory's buffers with the service; a process survives a native abort of another. */
export type Isolation = 'thread' | 'process';

const starters: Record<Isolation, (entry: URL, start: Start) => WorkerHandle> = {
  thread: startThread,
  process: startProcess,
};

/** Starts a worker and waits until its models are warm. @throws with what ended it before it was */
export async function startWorker(
  isolation: Isolation,
  entry: URL,
  start: Start,
): Promise<{ handle: WorkerHandle; ready: Extract<FromWorker, { type: 'ready' }> }> {
  const handle = starters[isolation](entry, start);
  const ready = await new Promise<Extract<FromWorker, { type: 'ready' }>>((resolve, reject) => {
    handle.onMessage((message) => {
      if (message.type === 'ready') resolve(message);
      else if (message.type === 'unfit') reject(new Error(message.reason));
    });
    handle.onExit((reason) =>
      reject(new Error(`A worker could not start: ${reason ?? 'it ended'}`)),
    );
  });
  return { handle, ready };
}
