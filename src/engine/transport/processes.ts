/** Workers as child processes: both ends of the line. Messages are copied, and a native abort ends the child alone. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Start, WorkerHandle } from './handle.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import type { Line } from '../worker/loop.ts';

export function startProcess(entry: URL, start: Start): WorkerHandle {
  const child = fork(fileURLToPath(entry), [], {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  // A child that could not be spawned tells an error and no exit.
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) =>
      resolve(code === 0 ? undefined : signal ? `it was ended by ${signal}` : `exit code ${code}`),
    );
  });
  child.send(start, () => undefined);
  return {
    // Once the child is gone its exit is told by itself; what is sent in between goes nowhere.
    post: (message) => {
      if (child.connected) child.send(message, () => undefined);
    },
    onMessage: (listener) => child.on('message', (message) => listener(message as FromWorker)),
    onExit: (listener) => void ended.then(listener),
  };
}

/** The worker's end, in a child process. */
export async function processLine(): Promise<{ line: Line; start: Start }> {
  // A signal to the whole group means the service, which tells its workers when they are done.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  process.on('disconnect', () => process.exit(0));
  const start = await new Promise<Start>((resolve) =>
    process.once('message', (message) => resolve(message as Start)),
  );
  const line: Line = {
    post: (message) => void process.send!(message),
    onMessage: (listener) => process.on('message', (message) => listener(message as ToWorker)),
    close: () => process.disconnect(),
  };
  return { line, start };
}
