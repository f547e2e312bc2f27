/** What the module that workers run calls. */
import { isMainThread } from 'node:worker_threads';
import { processLine } from './process.ts';
import { threadLine } from './thread.ts';
import type { Decoder } from './types.ts';
import { serve } from './worker.ts';

/** Serves the line to the engine that started this thread or process. */
export async function serveEngine(decoderFor: (settings: unknown) => Decoder): Promise<void> {
  if (isMainThread && !process.send) throw new Error('This file is the entry of a worker.');
  const { line, start } = isMainThread ? await processLine() : threadLine();
  await serve(line, start.options, decoderFor(start.settings));
}
