/** The entry of a worker thread: the engine's loop, with the tasks in it. */
import { serveThread } from '../engine/thread.ts';
import { taskDecoders, type TaskSettings } from './registry.ts';

await serveThread((settings) => taskDecoders(settings as TaskSettings));
