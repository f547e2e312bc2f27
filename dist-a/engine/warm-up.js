/** What the first runs tell: which provider is fastest, and how large a batch pays at which segment. */
import { access } from 'node:fs/promises';
import { parseDimension } from "../bundle/shape.js";
import { readOut, runSegment } from "./executor.js";
import { Job } from "./jobs.js";
import { clock } from "./messages.js";
import { loadModel, releaseModel } from "./model.js";
/** The number that symbols stand for in a warm-up. */
const SYMBOL = 32;
const BATCHES = [1, 4, 16, 64];
/** A larger batch pays where a sample takes less than this share of its time in the best smaller one. */
const PAYS = 0.9;
/** Loads every bundle on the provider asked for, or on the fastest. */
export async function loadModels(bundles, provider, threads, regroup) {
    if (provider !== 'auto')
        return loadOn(bundles, provider, threads, regroup);
    const notes = [];
    let best;
    for (const candidate of ['cpu', 'webgpu', 'cuda']) {
        const absent = await unavailable(candidate);
        if (absent) {
            notes.push(`${candidate} was not tried: ${absent}`);
            continue;
        }
        const loaded = await loadOn(bundles, candidate, threads, regroup);
        if (loaded.models.size === 0 && bundles.length > 0) {
            notes.push(`${candidate} was not taken: ${loaded.refused[0].reason}`);
            best ??= { loaded, ms: Number.POSITIVE_INFINITY };
            continue;
        }
        const ms = await timeAll(loaded.models);
        notes.push(`${candidate} takes ${ms.toFixed(1)} ms for a sample of each model`);
        if (!best || ms < best.ms) {
            for (const model of best?.loaded.models.values() ?? [])
                await releaseModel(model);
            best = { loaded, ms };
        }
        else
            for (const model of loaded.models.values())
                await releaseModel(model);
    }
    const { loaded } = best;
    return { ...loaded, notes: [...notes, `${loaded.provider} was taken`] };
}
async function loadOn(bundles, provider, threads, regroup) {
    const models = new Map();
    const refused = [];
    for (const bundle of bundles) {
        const { name } = bundle.manifest;
        try {
            const model = await loadModel(bundle, provider, threads);
            await warmUp(model, provider === 'cpu' && regroup);
            models.set(name, model);
        }
        catch (error) {
            refused.push({ name, reason: error instanceof Error ? error.message : String(error) });
        }
    }
    return { provider, models, refused, notes: [] };
}
/** Why a provider cannot be worth trying here; undefined where it may be. A software adapter is never taken. */
async function unavailable(provider) {
    if (provider === 'cpu')
        return undefined;
    const devices = provider === 'cuda' ? ['/dev/nvidia0', '/dev/dxg'] : ['/dev/dri/renderD128', '/dev/nvidia0', '/dev/dxg'];
    if (process.platform !== 'linux')
        return provider === 'cuda' && process.platform !== 'win32' ? 'there is no CUDA on this system' : undefined;
    for (const device of devices) {
        const there = await access(device).then(() => true, () => false);
        if (there)
            return undefined;
    }
    return 'there is no GPU';
}
/** Runs every segment once, and where samples all have one shape learns how large a batch pays. */
async function warmUp(model, regroup) {
    await runPath(model, 1);
    const fixed = model.manifest.inputs.every(({ shape }) => shape.slice(1).every((dim) => typeof dim === 'number'));
    if (!regroup || !fixed)
        return;
    const best = model.segments.map(() => Number.POSITIVE_INFINITY);
    for (const size of BATCHES) {
        if (size > (model.manifest.max_batch ?? Number.POSITIVE_INFINITY))
            break;
        await runPath(model, size);
        const times = [await runPath(model, size), await runPath(model, size), await runPath(model, size)];
        model.segments.forEach((segment, i) => {
            const perSample = Math.min(...times.map((run) => run[i])) / size;
            if (perSample > PAYS * best[i])
                return;
            best[i] = perSample;
            segment.limit = size;
        });
    }
}
/** A batch of made-up samples through the whole path; ms per segment, the decoder's with the last. */
async function runPath(model, size) {
    const { manifest } = model;
    const samples = Array.from({ length: size }, () => madeUp(manifest.inputs));
    const job = new Job(0, model, samples, { rule: 'fixed', depth: manifest.depth }, clock());
    const times = [];
    for (const segment of model.segments) {
        const { stopped, ms } = await runSegment(model, job.items, Number.POSITIVE_INFINITY);
        segment.pace = ms / (size * job.items[0].elements);
        times.push(stopped.length > 0 ? ms + (await readOut(model, stopped)) : ms);
    }
    return times;
}
function madeUp(inputs) {
    return Object.fromEntries(inputs.map(({ name, shape }) => {
        const dims = shape.slice(1).map((dim) => (typeof dim === 'number' ? dim : parseDimension(dim).factor * SYMBOL));
        const length = dims.reduce((a, b) => a * b, 1);
        return [name, { data: Float32Array.from({ length }, (_, i) => Math.sin(i)), dims }];
    }));
}
/** The shortest of three, one sample through each model's whole path, ms. */
async function timeAll(models) {
    let sum = 0;
    for (const model of models.values()) {
        const times = [];
        for (let i = 0; i < 3; i++)
            times.push((await runPath(model, 1)).reduce((a, b) => a + b, 0));
        sum += Math.min(...times);
    }
    return sum;
}
//# sourceMappingURL=warm-up.js.map