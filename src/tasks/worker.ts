/** The entry of a worker: the engine's loop, with the tasks in it. */
import { serveEngine } from '../engine/entry.ts';
import { taskDecoders, type TaskSettings } from './serving.ts';

await serveEngine((settings) => taskDecoders(settings as TaskSettings));
