/** The entry of a worker thread: the engine's loop, with the tasks in it. */
import { serveThread } from "../engine/thread.js";
import { taskDecoders } from "./registry.js";
await serveThread((settings) => taskDecoders(settings));
//# sourceMappingURL=worker.js.map