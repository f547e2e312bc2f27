/** A worker: its own sessions, its own queues, one loop. Between segments it reads its messages; nothing is interrupted inside a run. */
import { Problem } from "../errors.js";
import { readOut, release, runSegment } from "./executor.js";
import { Job } from "./jobs.js";
import { clock } from "./messages.js";
import { pick } from "./scheduler.js";
import { loadModels } from "./warm-up.js";
/** How long metrics may wait before they are sent, ms. */
const REPORT_EVERY = 100;
/** Loads the models and serves until it is told to close. */
export async function serve(line, options, tasks) {
    const loaded = await loadModels(options.bundles, options.provider, options.threads, options.regroup);
    const loop = new Loop(line, loaded.models, tasks);
    line.onMessage((message) => loop.receive(message));
    const { provider, notes, refused } = loaded;
    line.post({ type: 'ready', provider, notes, refused });
}
class Loop {
    line;
    models;
    tasks;
    queues = new Map();
    jobs = new Map();
    cancelled = new Set();
    decoding = new Set();
    running = false;
    share = 1;
    runs = [];
    reportedAt = clock();
    constructor(line, models, tasks) {
        this.line = line;
        this.models = models;
        this.tasks = tasks;
    }
    receive(message) {
        switch (message.type) {
            case 'perform':
                void this.settle(message.id, this.perform(message.id, message.request, message.arrivedAt));
                break;
            case 'run':
                void this.settle(message.id, this.run(message.id, message.model, message.samples, message.stopping, message.arrivedAt));
                break;
            case 'cancel':
                this.cancel(message.id);
                break;
            case 'cap':
                this.share = message.share;
                break;
            case 'close':
                this.line.close();
                break;
        }
    }
    async perform(id, request, arrivedAt) {
        const decode = this.tasks[request.task];
        if (!decode)
            throw new Problem('not-found', `There is no task ${request.task}.`);
        this.decoding.add(id);
        const manifests = new Map([...this.models].map(([name, { manifest }]) => [name, manifest]));
        const decoded = await decode(request, manifests).finally(() => this.decoding.delete(id));
        this.line.post({ type: 'decoded', id, samples: decoded.samples.length });
        const result = await this.enqueue(id, decoded.model, decoded.samples, decoded.stopping, arrivedAt);
        const answer = await decoded.encode(result);
        const summary = {
            model: result.model,
            maxDepth: result.maxDepth,
            depths: result.samples.map(({ depth }) => depth),
            reasons: result.samples.map(({ reason }) => reason),
            timing: result.timing,
        };
        const body = owned(answer.body);
        this.line.post({ type: 'answered', id, answer: { ...answer, body }, summary }, [body.buffer]);
    }
    async run(id, model, samples, stopping, arrivedAt) {
        this.line.post({ type: 'ran', id, result: await this.enqueue(id, model, samples, stopping, arrivedAt) });
    }
    async settle(id, work) {
        try {
            await work;
        }
        catch (error) {
            const [code, detail] = error instanceof Problem ? [error.code, error.message] : ['internal', describe(error)];
            this.line.post({ type: 'failed', id, code, detail });
        }
        finally {
            this.jobs.delete(id);
            this.cancelled.delete(id);
        }
    }
    enqueue(id, name, samples, stopping, arrivedAt) {
        if (this.cancelled.has(id))
            throw left();
        const model = this.models.get(name);
        if (!model)
            throw new Problem('unknown-model', `There is no model ${name}; there are ${[...this.models.keys()].join(', ')}.`);
        const job = new Job(id, model, samples, stopping, arrivedAt);
        this.jobs.set(id, job);
        for (const item of job.items)
            this.wait(item);
        if (!this.running)
            void this.loop();
        return job.result;
    }
    cancel(id) {
        if (this.decoding.has(id))
            this.cancelled.add(id);
        const job = this.jobs.get(id);
        if (!job)
            return;
        job.fail(left());
        for (const { waiting } of this.queues.values())
            remove(waiting, (item) => item.job === job).forEach(drop);
    }
    wait(item) {
        const { model } = item.job;
        const key = `${model.manifest.name}#${item.next}#${item.shape}`;
        let queue = this.queues.get(key);
        if (!queue)
            this.queues.set(key, (queue = { model, waiting: [], limit: model.segments[item.next].limit, segment: item.next }));
        queue.waiting.push(item);
    }
    async loop() {
        this.running = true;
        try {
            for (;;) {
                const queues = [...this.queues.values()];
                const decision = pick(queues, clock());
                if (!decision)
                    break;
                const queue = queues[decision.queue];
                const taken = new Set(decision.batch);
                remove(queue.waiting, (item) => taken.has(item));
                await this.advance(queue.model, [...taken]);
                this.report(false);
            }
        }
        finally {
            this.running = false;
            this.report(true);
            for (const [key, { waiting }] of this.queues)
                if (waiting.length === 0)
                    this.queues.delete(key);
        }
    }
    /** One segment for one batch: first those whose deadline does not allow another leave with what they have. */
    async advance(model, batch) {
        const at = batch[0].next;
        const segment = model.segments[at];
        const now = clock();
        const late = at === 0 ? [] : batch.filter((item) => now + segment.pace * item.elements > item.job.deadline);
        const inTime = late.length === 0 ? batch : batch.filter((item) => !late.includes(item));
        try {
            if (late.length > 0)
                await readOut(model, late.map((item) => ({ item, at: item.passed, reason: 'deadline' })));
            if (inTime.length === 0)
                return;
            const { stopped, going, ms } = await runSegment(model, inTime, this.capFor(model));
            this.account(model, at, inTime, ms);
            const alive = stopped.filter(({ item }) => !item.job.cancelled);
            if (alive.length > 0)
                await readOut(model, alive);
            for (const item of going) {
                if (item.job.cancelled)
                    drop(item);
                else
                    this.wait(item);
            }
        }
        catch (error) {
            for (const { job } of batch)
                job.fail(error);
        }
    }
    account(model, at, batch, ms) {
        const segment = model.segments[at];
        const elements = batch.reduce((sum, item) => sum + item.elements, 0);
        segment.pace = segment.pace === 0 ? ms / elements : 0.8 * segment.pace + (0.2 * ms) / elements;
        const now = clock();
        const shares = new Map();
        for (const { job } of batch)
            shares.set(job, (shares.get(job) ?? 0) + 1 / batch.length);
        for (const [job, share] of shares)
            job.ran(ms, share, now);
        this.runs.push({ model: model.manifest.name, layer: segment.last, batch: batch.length, seconds: ms / 1000 });
    }
    capFor(model) {
        const { length } = model.segments;
        return this.share >= 1 ? Number.POSITIVE_INFINITY : Math.max(0, Math.ceil(this.share * length) - 1);
    }
    report(now) {
        if (this.runs.length === 0 || (!now && clock() - this.reportedAt < REPORT_EVERY))
            return;
        this.line.post({ type: 'segments', runs: this.runs });
        this.runs = [];
        this.reportedAt = clock();
    }
}
const left = () => new Problem('client-closed-request', 'The client left before the answer was ready.');
const describe = (error) => (error instanceof Error ? (error.stack ?? error.message) : String(error));
function drop(item) {
    for (const row of Object.values(item.values))
        release(row);
}
/** Takes out of `list`, in place, what fits. */
function remove(list, fits) {
    const taken = list.filter(fits);
    if (taken.length === list.length)
        list.length = 0;
    else if (taken.length > 0)
        list.splice(0, list.length, ...list.filter((value) => !fits(value)));
    return taken;
}
/** The same bytes in a buffer that holds nothing else, so that it can be handed over. */
function owned(bytes) {
    const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
    return whole ? bytes : new Uint8Array(bytes);
}
//# sourceMappingURL=worker.js.map