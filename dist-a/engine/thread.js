/** Workers as threads: both ends of the line. A thread is never ended while a session of it runs, which would end the process. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { serve } from "./worker.js";
/** @param settings what the entry's tasks are set up with */
export function startThread(entry, options, settings) {
    const worker = new Worker(entry, { workerData: { options, settings } });
    let reason;
    worker.on('error', (error) => (reason = error instanceof Error ? (error.stack ?? error.message) : String(error)));
    return {
        post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
        onMessage: (listener) => worker.on('message', listener),
        onExit: (listener) => worker.on('exit', (code) => listener(reason ?? (code === 0 ? undefined : `exit code ${code}`))),
    };
}
/** What a worker's entry calls: serves the line to the thread that started it. */
export async function serveThread(tasks) {
    const port = parentPort;
    if (isMainThread || !port)
        throw new Error('This file is the entry of a worker thread.');
    const { options, settings } = workerData;
    await serve({
        post: (message, transfer = []) => port.postMessage(message, [...transfer]),
        onMessage: (listener) => port.on('message', listener),
        close: () => port.close(),
    }, options, tasks(settings));
}
//# sourceMappingURL=thread.js.map