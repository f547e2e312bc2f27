/** Starts a worker over either transport. */
import '../../runtime/telemetry.ts';
import type { Isolation, WorkerHandle, WorkerStart } from './handle.ts';
import type { FromWorker } from './messages.ts';
import { startProcess } from './processes.ts';
import { startThread } from './threads.ts';

const starters: Readonly<Record<Isolation, (entry: URL, start: WorkerStart) => WorkerHandle>> = {
  thread: startThread,
  process: startProcess,
};

/** The message of a worker whose models have warmed up: its provider, notes and refused bundles. */
export type Ready = Extract<FromWorker, { type: 'ready' }>;

/**
 * Starts a worker and waits until its models have warmed up.
 * @throws an error with the reason where it ends or reports `unfit` before that
 */
export async function startWorker(
  isolation: Isolation,
  entry: URL,
  start: WorkerStart,
): Promise<{ handle: WorkerHandle; ready: Ready }> {
  const handle = starters[isolation](entry, start);
  const ready = await new Promise<Ready>((resolve, reject) => {
    handle.onMessage((message) => {
      if (message.type === 'ready') resolve(message);
      else if (message.type === 'unfit') reject(new Error(message.reason));
    });
    handle.onExit((reason) =>
      reject(new Error(`A worker could not start: ${reason ?? 'it ended early'}`)),
    );
  });
  return { handle, ready };
}
