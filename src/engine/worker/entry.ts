/** What the entry module of a worker calls. */
import { isMainThread } from 'node:worker_threads';
import { processLine } from '../transport/processes.ts';
import { threadLine } from '../transport/threads.ts';
import type { Decoder } from '../types.ts';
import { serve } from './serve.ts';

/**
 * Serves the engine that started this thread or process.
 * @param decoderFor makes the decoder of requests from `EngineOptions.settings`
 */
export async function serveEngine(decoderFor: (settings: unknown) => Decoder): Promise<void> {
  if (isMainThread && !process.send)
    throw new Error('This module runs in a worker only; the engine starts it.');
  const { line, start } = isMainThread ? await processLine() : threadLine();
  await serve(line, start.options, decoderFor(start.settings));
}
