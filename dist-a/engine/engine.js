/** The engine as the service sees it: requests go to workers, answers come back, and no more is taken in than can be held. */
import { availableParallelism } from 'node:os';
import { loadBundles } from "../bundle/read.js";
import { Problem } from "../errors.js";
import { clock } from "./messages.js";
import { startThread } from "./thread.js";
export class Engine {
    slots;
    provider;
    refused;
    options;
    events;
    manifests;
    requests = new Map();
    idle = [];
    maxPending;
    nextId = 1;
    draining = false;
    share = 1;
    backlog = 0;
    /** Samples that were taken and are not answered. */
    pending = 0;
    constructor(slots, provider, bundles, refused, options, events) {
        this.slots = slots;
        this.provider = provider;
        this.refused = refused;
        this.options = options;
        this.events = events;
        this.maxPending = options.maxPending ?? 1024;
        this.manifests = new Map(bundles.map(({ manifest }) => [manifest.name, manifest]));
        for (const slot of slots) {
            slot.handle.onMessage((message) => this.receive(slot, message));
            slot.handle.onExit((reason) => this.ended(slot, reason));
        }
    }
    /** Reads the bundles, starts the workers and waits until all are warm. */
    static async start(options, events = {}) {
        const { modelsDir, entry, provider = 'auto', threads = 1, log = () => undefined, regroup = true, settings } = options;
        const { bundles: found, refused } = await loadBundles(modelsDir);
        const bundles = found.filter(({ manifest }) => options.only?.includes(manifest.name) ?? true);
        const common = { threads, regroup };
        const first = await startWorker(entry, { ...common, bundles, provider }, settings);
        first.ready.notes.forEach(log);
        const all = [...refused, ...first.ready.refused];
        for (const { name, reason } of all)
            log(`the model ${name} is refused: ${reason}`);
        const served = bundles.filter(({ manifest }) => !all.some(({ name }) => name === manifest.name));
        const taken = first.ready.provider;
        const count = taken === 'cpu' ? (options.workers ?? Math.max(1, Math.floor(availableParallelism() / threads))) : 1;
        const others = await Promise.all(Array.from({ length: count - 1 }, () => startWorker(entry, { ...common, bundles: served, provider: taken }, settings)));
        const slots = [first, ...others].map(({ handle }) => ({ handle, pending: 0, alive: true }));
        return new Engine(slots, taken, served, all, options, events);
    }
    get workers() {
        return this.slots.filter(({ alive }) => alive).length;
    }
    /**
     * Answers a request: decoded, run and encoded in a worker.
     * @throws Problem where the request is at fault, the service full or draining, or the client gone
     */
    async perform(request, { signal, arrivedAt = clock() } = {}) {
        const body = new Uint8Array(request.body);
        const parts = request.parts?.map((part) => ({ ...part, body: new Uint8Array(part.body) }));
        const copy = { ...request, body, ...(parts && { parts }) };
        const buffers = [body.buffer, ...(parts ?? []).map((part) => part.body.buffer)];
        const message = await this.send((id) => ({ type: 'perform', id, request: copy, arrivedAt }), 1, signal, buffers);
        if (message.type !== 'answered')
            throw new Error(`unexpected answer ${message.type}`);
        return { answer: message.answer, summary: message.summary };
    }
    /** Runs samples as they are through a model. */
    async run(model, samples, stopping = {}, { signal } = {}) {
        const arrivedAt = clock();
        const message = await this.send((id) => ({ type: 'run', id, model, samples, stopping, arrivedAt }), samples.length, signal);
        if (message.type !== 'ran')
            throw new Error(`unexpected answer ${message.type}`);
        return message.result;
    }
    /** Takes nothing new; resolves when all that was taken is answered. */
    async drain() {
        this.draining = true;
        if (this.requests.size > 0)
            await new Promise((resolve) => this.idle.push(resolve));
    }
    /** Drains, then ends the workers. */
    async close() {
        await this.drain();
        const ended = this.slots
            .filter(({ alive }) => alive)
            .map(({ handle }) => new Promise((resolve) => handle.onExit(() => resolve())));
        for (const { handle, alive } of this.slots)
            if (alive)
                handle.post({ type: 'close' });
        await Promise.all(ended);
    }
    send(make, samples, signal, transfer = []) {
        if (signal?.aborted)
            return Promise.reject(gone());
        if (this.draining)
            return Promise.reject(new Problem('draining', 'The service is shutting down; ask another instance.'));
        if (this.pending > 0 && this.pending + samples > this.maxPending)
            return Promise.reject(this.overloaded());
        const worker = this.slots
            .filter(({ alive }) => alive)
            .reduce((a, b) => (a && a.pending <= b.pending ? a : b), undefined);
        if (!worker)
            return Promise.reject(new Error('no worker is left'));
        const id = this.nextId++;
        const promise = new Promise((resolve, reject) => this.requests.set(id, { worker, samples: 0, resolve, reject }));
        this.count(id, samples);
        const abort = () => this.cancel(id, gone());
        signal?.addEventListener('abort', abort, { once: true });
        worker.handle.post(make(id), transfer);
        return promise.finally(() => signal?.removeEventListener('abort', abort));
    }
    receive(slot, message) {
        switch (message.type) {
            case 'segments':
                if (this.events.segment)
                    message.runs.forEach(this.events.segment);
                break;
            case 'decoded':
                this.admit(message.id, message.samples);
                break;
            case 'failed': {
                const error = message.code === 'internal' ? new Error(message.detail) : new Problem(message.code, message.detail);
                this.take(message.id)?.reject(error);
                break;
            }
            case 'answered':
            case 'ran':
                this.take(message.id)?.resolve(message);
                break;
            default:
                throw new Error(`unexpected message ${message.type} from a worker with ${slot.pending} samples`);
        }
    }
    /** Now that a request's samples are counted: if they do not fit, it is refused, unless nothing else is there. */
    admit(id, samples) {
        const request = this.requests.get(id);
        if (!request)
            return;
        const others = this.pending - request.samples;
        if (others > 0 && others + samples > this.maxPending)
            this.cancel(id, this.overloaded());
        else
            this.count(id, samples);
    }
    cancel(id, error) {
        const request = this.take(id);
        if (!request)
            return;
        request.worker.handle.post({ type: 'cancel', id });
        request.reject(error);
    }
    take(id) {
        const request = this.requests.get(id);
        if (!request)
            return undefined;
        this.count(id, 0);
        this.requests.delete(id);
        if (this.requests.size === 0)
            this.idle.splice(0).forEach((resolve) => resolve());
        return request;
    }
    count(id, samples) {
        const request = this.requests.get(id);
        this.pending += samples - request.samples;
        this.backlog += this.weight(samples) - this.weight(request.samples);
        request.worker.pending += samples - request.samples;
        request.samples = samples;
        this.followBacklog();
    }
    /** From half the bound on, the share of exits in use falls from all to the first. */
    followBacklog() {
        if (this.options.shed === false)
            return;
        const load = this.backlog / this.maxPending;
        const share = load <= 0.5 ? 1 : Math.max(0.1, Math.round(10 * (1 - 2 * (load - 0.5))) / 10);
        if (share === this.share)
            return;
        this.share = share;
        for (const { handle, alive } of this.slots)
            if (alive)
                handle.post({ type: 'cap', share });
    }
    /** A backlog is many requests: one large one is no more than a quarter of the bound, and lowers nobody's depth by itself. */
    weight(samples) {
        return Math.min(samples, this.maxPending / 4);
    }
    overloaded() {
        return new Problem('overloaded', `The service holds ${this.pending} samples, its bound is ${this.maxPending}. Try again in a moment.`);
    }
    ended(slot, reason) {
        slot.alive = false;
        if (reason !== undefined)
            this.options.log?.(`a worker ended: ${reason}`);
        for (const [id, { worker }] of this.requests) {
            if (worker === slot)
                this.take(id)?.reject(new Error(`the worker ended: ${reason ?? 'it was closed'}`));
        }
    }
}
const gone = () => new Problem('client-closed-request', 'The client left before the answer was ready.');
async function startWorker(entry, options, settings) {
    const handle = startThread(entry, options, settings);
    const ready = await new Promise((resolve, reject) => {
        handle.onMessage((message) => {
            if (message.type === 'ready')
                resolve(message);
        });
        handle.onExit((reason) => reject(new Error(`A worker could not start: ${reason ?? 'it ended'}`)));
    });
    return { handle, ready };
}
//# sourceMappingURL=engine.js.map