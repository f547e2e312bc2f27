/** Both ends of the line between the engine and a worker, whether the worker is a thread or a child process. */
import type { FromWorker, Several, ToWorker, WorkerOptions } from './messages.ts';

/** The engine's end. */
export interface WorkerHandle {
  /** Sends a message; one to a worker that has ended is lost. `transfer`: buffers that may be moved instead of copied. */
  post(message: ToWorker, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: FromWorker) => void): void;
  /** Calls back once, when the worker has ended or at once where it already has; `reason` only where it was not asked to. */
  onExit(listener: (reason: string | undefined) => void): void;
  /** Ends the worker at once, whatever it does; threads have no such way. */
  kill?(): void;
}

/** The worker's end: a thread's port or a process's channel. */
export interface WorkerLine {
  post(message: FromWorker | Several, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: ToWorker) => void): void;
  close(): void;
}

/** What a worker is started with. */
export interface WorkerStart {
  readonly options: WorkerOptions;
  /** Passed to the tasks in the worker; plain data. */
  readonly settings: unknown;
}

/** A thread shares buffers with the service. A process is slower to reach but survives the native abort of another. */
export type Isolation = 'thread' | 'process';
