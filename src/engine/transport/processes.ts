/** Workers as child processes: both ends of the line. Messages are copied, and a native abort ends the child only. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WorkerHandle, WorkerLine, WorkerStart } from './handle.ts';
import type { FromWorker, Several, ToWorker } from './messages.ts';
import { unpacked } from './outbox.ts';

/**
 * Forks a child process that runs `entry`, and sends it `start` as its first message.
 * A failure to spawn is reported to `onExit`; nothing is thrown.
 */
export function startProcess(entry: URL, start: WorkerStart): WorkerHandle {
  const child = fork(fileURLToPath(entry), [], {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  // A child that could not be spawned emits 'error' and never 'exit'.
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) =>
      resolve(code === 0 ? undefined : signal ? `killed by ${signal}` : `exit code ${code}`),
    );
  });
  // Without its callback, send() would emit 'error' where the child has just ended; 'exit' reports that already.
  const ignoreFailure = (): void => undefined;
  child.send(start, ignoreFailure);
  return {
    post: (message) => {
      if (child.connected) child.send(message, ignoreFailure);
    },
    onMessage: (listener) =>
      child.on('message', (arrived) => unpacked(arrived as FromWorker | Several).forEach(listener)),
    onExit: (listener) => void ended.then(listener),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** The worker's end, inside a child process. */
export async function processLine(): Promise<{ line: WorkerLine; start: WorkerStart }> {
  const send = process.send?.bind(process);
  if (!send) throw new Error('processLine was called outside a child process');
  // Signals to the process group are meant for the service, which closes its workers once they are idle.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  process.on('disconnect', () => process.exit(0));
  const start = await new Promise<WorkerStart>((resolve) =>
    process.once('message', (message) => resolve(message as WorkerStart)),
  );
  const line: WorkerLine = {
    post: (message) => void send(message),
    onMessage: (listener) => process.on('message', (message) => listener(message as ToWorker)),
    close: () => process.disconnect(),
  };
  return { line, start };
}
