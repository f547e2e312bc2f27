/** Long runs: batches in, steps, progress out, checkpoints, and a resume that goes on as if nothing had happened. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { Trainer } from "./trainer.js";
/** The run was asked to end before it was done; the checkpoint holds what there is. */
export class Interrupted extends Error {
    name = 'Interrupted';
}
export const checkpointFile = (folder) => join(folder, 'checkpoint.safetensors');
/** Runs the stages in order; what each has learnt is in `weights` at the end. Gives the seconds each took, by name. */
export async function runStages(stages, options) {
    await mkdir(options.folder, { recursive: true });
    const resumed = options.resume ? await restore(stages, options) : undefined;
    const first = resumed ? stages.findIndex(({ name }) => name === resumed.saved.stage) : 0;
    const spent = {};
    for (const [i, stage] of stages.entries()) {
        if (i < first)
            continue;
        spent[stage.name] = await runStage(stage, options, i === first ? resumed : undefined);
    }
    return spent;
}
async function restore(stages, { folder, weights, source, config }) {
    const { tensors, meta } = await readCheckpoint(checkpointFile(folder));
    const saved = meta;
    if (JSON.stringify(saved.config) !== JSON.stringify(config)) {
        throw new Error(`The checkpoint in ${folder} was made with another configuration; train without --resume, or with the same options.`);
    }
    if (!stages.some(({ name }) => name === saved.stage))
        throw new Error(`The checkpoint in ${folder} is of a stage ${saved.stage}.`);
    const moments = new Map();
    for (const [name, data] of tensors)
        (name.includes(':') ? moments : weights).set(name, data);
    source.restore(saved.source);
    return { saved, optimiser: { steps: saved.steps, moments } };
}
async function runStage(stage, options, resumed) {
    const { weights, threads } = options;
    const trainer = await Trainer.create({ loss: stage.loss, learn: stage.learn, weights, threads, ...(stage.adam && { adam: stage.adam }) }, resumed?.optimiser);
    let step = resumed?.saved.steps ?? 0;
    let loss = resumed?.saved.loss ?? Number.NaN;
    const before = resumed?.saved.seconds ?? 0;
    const firstStep = step;
    const start = performance.now();
    const seconds = () => before + (performance.now() - start) / 1000;
    let saved = performance.now();
    const save = async () => {
        trainer.store();
        const meta = {
            config: options.config,
            stage: stage.name,
            steps: step,
            seconds: seconds(),
            source: options.source.state(),
            loss,
        };
        await writeCheckpoint(checkpointFile(options.folder), {
            tensors: new Map([...weights, ...trainer.state().moments]),
            meta: meta,
        });
        saved = performance.now();
    };
    const progress = () => (stage.minutes ? seconds() / 60 / stage.minutes : step / stage.steps);
    while (progress() < 1 && (stage.minutes !== undefined || step < stage.steps)) {
        const now = progress();
        const seen = await trainer.step(stage.batch(now), stage.rate(now));
        step++;
        loss = Number.isNaN(loss) ? seen.loss[0] : 0.99 * loss + 0.01 * seen.loss[0];
        const stepsPerSecond = ((step - firstStep) / (performance.now() - start)) * 1000;
        const secondsLeft = stage.minutes ? stage.minutes * 60 - seconds() : (stage.steps - step) / stepsPerSecond;
        options.onProgress({ stage: stage.name, step, progress: Math.min(progress(), 1), loss, stepsPerSecond, secondsLeft });
        if (options.interrupted?.()) {
            await save();
            await trainer.release();
            throw new Interrupted(`Stopped at step ${step} of ${stage.name}; go on with --resume.`);
        }
        if (performance.now() - saved > options.checkpointSeconds * 1000)
            await save();
    }
    trainer.store();
    await stage.finish?.(weights);
    await save();
    await trainer.release();
    return { steps: step, seconds: seconds() };
}
//# sourceMappingURL=loop.js.map