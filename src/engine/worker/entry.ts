/** What the module that workers run calls. */
import { isMainThread } from 'node:worker_threads';
import { processLine } from '../transport/processes.ts';
import { threadLine } from '../transport/threads.ts';
import type { TaskDecoder } from '../types.ts';
import { serve } from './loop.ts';

/** Serves the line to the engine that started this thread or process. */
export async function serveEngine(
  tasks: (settings: unknown) => Readonly<Record<string, TaskDecoder>>,
): Promise<void> {
  if (isMainThread && !process.send) throw new Error('This file is the entry of a worker.');
  const { line, start } = isMainThread ? await processLine() : threadLine();
  await serve(line, start.options, tasks(start.settings));
}
