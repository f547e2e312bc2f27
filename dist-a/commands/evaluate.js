/** `evaluate`: quality, depth and time of a bundle, through the engine that serves. */
import { parseArgs } from 'node:util';
import { basename, join } from 'node:path';
import { loadBundles } from "../bundle/read.js";
import { writeManifest } from "../bundle/write.js";
import { evaluate } from "../evaluation/evaluate.js";
import { freshSignals, matrixOf, noisyImages, startEngine } from "../evaluation/measure.js";
import { readImageFolder } from "../data/images.js";
export const usage = `npm run evaluate -- sparse-recovery|denoise
  --model NAME       the task's default where absent       --data DIR        clean images (denoise)
  --sigma 35,45      noise levels (denoise)                --clipped         noise as in an 8-bit file (denoise)
  --snr 20,30,40     noise levels, dB (sparse-recovery)    --sparsity 0.1    share of entries that are not zero
  --count N          samples a condition                   --record          write the figures into the manifest
  --rule RULE        threshold (default), sample, fixed    --threshold X, --depth N, --seed N, --max-depth N
  --json             one JSON object on standard output`;
const options = {
    model: { type: 'string' },
    data: { type: 'string' },
    sigma: { type: 'string', default: '15,25,35,45,55,65,75' },
    clipped: { type: 'boolean', default: false },
    snr: { type: 'string', default: '20,30,40' },
    sparsity: { type: 'string', default: '0.1' },
    record: { type: 'boolean', default: false },
    count: { type: 'string', default: '1000' },
    rule: { type: 'string' },
    threshold: { type: 'string' },
    depth: { type: 'string' },
    seed: { type: 'string' },
    'max-depth': { type: 'string' },
    json: { type: 'boolean', default: false },
};
const MODELS = process.env.MODELS_DIR ?? 'models';
const SEED = 4711;
export async function evaluateCommand(args) {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const manifest = await choose(positionals[0], values.model, values.data);
    const test = await testData(manifest, values);
    const conditions = test.conditions(manifest, SEED);
    const stopping = stoppingOf(values);
    const engine = await startEngine(MODELS, [manifest.name]);
    try {
        let done = 0;
        const total = conditions.reduce((sum, { cases }) => sum + cases.length, 0);
        const rows = await evaluate(engine, manifest, conditions, stopping, () => {
            if (process.stderr.isTTY)
                process.stderr.write(`\r${++done} of ${total}`);
        });
        if (process.stderr.isTTY)
            process.stderr.write('\r\x1b[K');
        if (values.record) {
            const measured = { exits: manifest.measured?.exits ?? [], data: `${test.name}, seed ${SEED}`, threshold: rows };
            await writeManifest(join(MODELS, manifest.name), { ...manifest, measured });
        }
        if (values.json)
            console.log(JSON.stringify({ model: manifest.name, task: manifest.task, rows }));
        else
            console.table(rows.map(({ condition, ...row }) => ({ ...condition, ...row })));
    }
    finally {
        await engine.close();
    }
}
async function testData(manifest, values) {
    const count = number('--count', values.count);
    const list = (flag) => values[flag].split(',').map((text) => number(`--${flag}`, text));
    if (manifest.task !== 'denoise') {
        return freshSignals(await matrixOf(manifest, MODELS), { sparsity: number('--sparsity', values.sparsity), snr: list('snr') }, count);
    }
    const { images } = await readImageFolder(values.data, Number(manifest.inputs[0].shape[1]) === 1 ? 1 : 3);
    return noisyImages(images.slice(0, count), basename(values.data), { sigmas: list('sigma'), clipped: values.clipped });
}
async function choose(task, name, data) {
    const { bundles } = await loadBundles(MODELS);
    const candidates = bundles.map(({ manifest }) => manifest).filter((manifest) => manifest.task === task);
    if (candidates.length === 0)
        throw new Error(`${task ? `No model in ${MODELS} is for ${task}` : 'Say which task'}:\n${usage}`);
    if (task === 'denoise' && data === undefined)
        throw new Error(`denoise needs a folder of clean images:\n${usage}`);
    const chosen = name === undefined
        ? (candidates.find((manifest) => manifest.default) ?? candidates[0])
        : candidates.find((manifest) => manifest.name === name);
    if (!chosen)
        throw new Error(`There is no model ${name} for ${task}; there are ${candidates.map((manifest) => manifest.name).join(', ')}.`);
    return chosen;
}
function stoppingOf(values) {
    const { rule } = values;
    if (rule !== undefined && rule !== 'threshold' && rule !== 'sample' && rule !== 'fixed')
        throw new Error('--rule must be threshold, sample or fixed.');
    const threshold = number('--threshold', values.threshold);
    const depth = number('--depth', values.depth);
    const seed = number('--seed', values.seed);
    const maxDepth = number('--max-depth', values['max-depth']);
    return {
        ...(rule && { rule }),
        ...(threshold !== undefined && { threshold }),
        ...(depth !== undefined && { depth }),
        ...(seed !== undefined && { seed }),
        ...(maxDepth !== undefined && { maxDepth }),
    };
}
function number(flag, text) {
    if (text === undefined)
        return undefined;
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value))
        throw new Error(`${flag} must be a number, not ${text}.`);
    return value;
}
//# sourceMappingURL=evaluate.js.map