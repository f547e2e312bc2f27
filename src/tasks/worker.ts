/** The entry of a worker: the engine's loop, with the tasks in it. */
import { serveEngine } from '../engine/worker/entry.ts';
import { taskDecoders, type TaskSettings } from './registry.ts';

await serveEngine((settings) => taskDecoders(settings as TaskSettings));
