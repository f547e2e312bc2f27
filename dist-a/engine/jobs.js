import { resolveStopping, stopRule } from "../stopping/rule.js";
import { bind } from "../bundle/shape.js";
import { clock } from "./messages.js";
import { toRow } from "./rows.js";
export class Job {
    id;
    model;
    arrivedAt;
    items;
    stopping;
    /** Resolves when every sample has stopped. */
    result;
    cancelled = false;
    /** Time in which a segment or decoder with one of the samples ran, ms; samples that ran with others share it. */
    attained = 0;
    computeMs = 0;
    since;
    results = [];
    startedAt;
    left;
    settle;
    /** @throws Problem where the parameters, RangeError where the samples do not fit the model */
    constructor(id, model, samples, stopping, arrivedAt) {
        this.id = id;
        this.model = model;
        this.arrivedAt = arrivedAt;
        this.stopping = resolveStopping(stopping, model.manifest, () => Math.floor(Math.random() * 2 ** 31));
        this.since = arrivedAt;
        this.left = samples.length;
        this.items = samples.map((sample, index) => new Item(this, index, sample));
        this.result = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
        this.result.catch(() => undefined);
        if (samples.length === 0)
            this.finish();
    }
    get deadline() {
        return this.arrivedAt + (this.stopping.deadlineMs ?? Number.POSITIVE_INFINITY);
    }
    /** Notes that `ms` of compute were spent on `share` of a batch. */
    ran(ms, share, now) {
        this.startedAt ??= now - ms;
        this.attained += ms * share;
        this.computeMs += ms;
        this.since = now;
    }
    done(item, result) {
        this.results[item.index] = result;
        if (--this.left === 0)
            this.finish();
    }
    fail(error) {
        this.cancelled = true;
        this.settle.reject(error);
    }
    finish() {
        const now = clock();
        const { stopping, model, arrivedAt, computeMs } = this;
        this.settle.resolve({
            model: model.manifest.name,
            maxDepth: model.manifest.depth,
            ...(stopping.seed !== undefined && { seed: stopping.seed }),
            samples: this.results,
            timing: { queueMs: (this.startedAt ?? now) - arrivedAt, computeMs, totalMs: now - arrivedAt },
        });
    }
}
/** A sample on its way: it waits at `next`, with the values of all inputs and states so far. */
export class Item {
    job;
    index;
    rule;
    shape;
    elements;
    values;
    pi = [];
    /** The segment it waits for. */
    next = 0;
    constructor(job, index, sample) {
        this.job = job;
        this.index = index;
        const { manifest } = job.model;
        const binding = new Map();
        for (const { name, shape } of manifest.inputs) {
            const array = sample[name];
            if (!array)
                throw new RangeError(`the sample has no ${name}`);
            bind(name, shape, array.dims, binding);
        }
        this.rule = stopRule(job.stopping, manifest, index);
        this.values = Object.fromEntries(manifest.inputs.map(({ name }) => [name, toRow(sample[name])]));
        this.shape = [...binding].join(';');
        this.elements = manifest.inputs.reduce((sum, { name }) => sum + sample[name].data.length, 0);
    }
    get attained() {
        return this.job.attained;
    }
    get since() {
        return this.job.since;
    }
    /** The exit the sample has passed last, from 0; −1 before the first. */
    get passed() {
        return this.next - 1;
    }
}
//# sourceMappingURL=jobs.js.map