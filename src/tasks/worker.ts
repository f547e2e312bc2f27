/** The entry of a worker: the engine's loop, with the tasks in it. */
import { serveEngine } from '../engine/worker/entry.ts';
import { decodeRequest } from './by-name.ts';
import type { TaskRequest, TaskSettings } from './task.ts';

await serveEngine(
  (settings) => (request, models, files, signal, admit) =>
    decodeRequest(request as TaskRequest, {
      models,
      files,
      settings: settings as TaskSettings,
      signal,
      admit,
    }),
);
