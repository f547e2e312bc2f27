/** `train`: learns a model from the user's data or matrix, writes its bundle, and measures it. */
import { access, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, parse } from 'node:path';
import { parseArgs } from 'node:util';
import { SCHEMA_VERSION } from "../bundle/manifest.js";
import { writeBundle, writeManifest } from "../bundle/write.js";
import { readNpy, writeNpy } from "../codecs/npy.js";
import { readImageFolder } from "../data/images.js";
import { Random } from "../data/random.js";
import { measurementMatrix } from "../data/sparse-recovery.js";
import { withDefaults } from "../training/config.js";
import { denoiseDefaults } from "../training/denoise.js";
import { readWeights } from "../training/from-bundle.js";
import { trainDenoise, trainRecovery } from "../training/run.js";
import { recoveryDefaults } from "../training/sparse-recovery.js";
import { freshSignals, measure, noisyImages } from "../evaluation/measure.js";
import { ProgressBar } from "./progress.js";
export const usage = `npm run train -- sparse-recovery [--matrix A.npy] [--form vamp|coupled|published]
npm run train -- denoise --data DIR [--channels 1|3] [--form half|published]
  --config FILE   JSON over the defaults        --name NAME     the bundle's name
  --minutes N     time for the first stage      --from NAME     start from that bundle's weights
  --resume        go on from the checkpoint     --validate DIR  images to measure on (denoise);
                                                                a tenth of DIR is held out without it
  --default       serve it when no model is named`;
const options = {
    config: { type: 'string' },
    data: { type: 'string' },
    validate: { type: 'string' },
    matrix: { type: 'string' },
    form: { type: 'string' },
    channels: { type: 'string' },
    minutes: { type: 'string' },
    name: { type: 'string' },
    from: { type: 'string' },
    threads: { type: 'string' },
    resume: { type: 'boolean', default: false },
    default: { type: 'boolean', default: false },
};
const parseFlags = (args) => parseArgs({ args, options, allowPositionals: true });
const MODELS = process.env.MODELS_DIR ?? 'models';
/** The seed of the matrix of the published experiment, where no other matrix is given. */
const MATRIX_SEED = 2020;
export async function train(args) {
    const { values, positionals } = parseFlags(args);
    const task = positionals[0];
    if (task === 'sparse-recovery')
        return trainOn(values, await recoveryPlan(values));
    if (task === 'denoise')
        return trainOn(values, await denoisePlan(values));
    throw new Error(`${task ? `There is no training for ${task}` : 'Say what to train'}:\n${usage}`);
}
async function recoveryPlan(flags) {
    const form = formOf(flags, recoveryDefaults, 'vamp');
    const config = await readConfig(recoveryDefaults[form], flags);
    const matrix = flags.matrix === undefined ? measurementMatrix(250, 500, new Random(MATRIX_SEED)) : await readMatrix(flags.matrix);
    const { rows, columns, data } = matrix;
    return {
        task: 'sparse-recovery',
        name: flags.name ?? (flags.matrix === undefined ? 'sparse-recovery' : slug(`sparse-recovery-${parse(flags.matrix).name}`)),
        description: `Recovers sparse signals of ${columns} numbers from ${rows} measurements.`,
        baseline: form === 'published',
        taskFiles: new Map([['matrix.npy', writeNpy({ shape: [rows, columns], data })]]),
        test: freshSignals(matrix, config),
        run: (run) => trainRecovery(config, matrix, run),
    };
}
async function denoisePlan(flags) {
    if (flags.data === undefined)
        throw new Error(`denoise needs a folder of clean images:\n${usage}`);
    if (flags.channels !== undefined && flags.channels !== '1' && flags.channels !== '3')
        throw new Error('--channels must be 1 (gray) or 3 (colour).');
    const wanted = flags.channels === undefined ? undefined : flags.channels === '1' ? 1 : 3;
    const form = formOf(flags, denoiseDefaults, 'half');
    const { images } = await readImageFolder(flags.data, wanted);
    const channels = images[0].channels;
    const config = await readConfig({ ...denoiseDefaults[form], channels }, flags);
    const folder = basename(flags.data);
    const { training, test } = flags.validate === undefined
        ? heldOut(images, folder)
        : { training: images, test: noisyImages((await readImageFolder(flags.validate, channels)).images, basename(flags.validate)) };
    return {
        task: 'denoise',
        name: flags.name ?? slug(`denoise-${channels === 1 ? 'gray' : 'color'}-${folder}`),
        description: `Removes noise from ${channels === 1 ? 'gray' : 'colour'} images.`,
        baseline: form === 'published',
        taskFiles: new Map(),
        test,
        run: (run) => trainDenoise(config, training, run),
    };
}
/** Every tenth image, or one where there are fewer, is kept to measure on. */
function heldOut(images, folder) {
    if (images.length < 2)
        throw new Error('One image is too few: one must be held out to measure on. Add images, or name others by --validate.');
    const every = Math.min(10, images.length);
    const kept = (i) => i % every === every - 1;
    return {
        training: images.filter((_, i) => !kept(i)),
        test: noisyImages(images.filter((_, i) => kept(i)), `held out of ${folder}`),
    };
}
function formOf({ form }, defaults, usual) {
    if (form === undefined)
        return usual;
    if (!Object.hasOwn(defaults, form))
        throw new Error(`--form must be one of ${Object.keys(defaults).join(', ')}, not ${form}.`);
    return form;
}
async function trainOn(flags, plan) {
    const folder = join('checkpoints', plan.name);
    const bar = new ProgressBar();
    let interrupted = false;
    process.once('SIGINT', () => (interrupted = true));
    process.once('SIGTERM', () => (interrupted = true));
    const trained = await plan
        .run({
        threads: flags.threads === undefined ? availableParallelism() : positive('--threads', flags.threads),
        folder,
        resume: flags.resume,
        checkpointSeconds: 60,
        ...(flags.from !== undefined && { from: await readWeights(join(MODELS, flags.from)) }),
        onProgress: (progress) => bar.update(progress),
        interrupted: () => interrupted,
    })
        .finally(() => bar.stop());
    const { contents, ...lowered } = trained.lowered;
    const directory = join(MODELS, plan.name);
    const manifest = await writeBundle(directory, {
        schema_version: SCHEMA_VERSION,
        name: plan.name,
        version: '1',
        description: plan.description,
        task: plan.task,
        default: flags.default,
        ...(plan.baseline && { baseline: true }),
        ...lowered,
        training: trained.provenance,
        task_files: [...plan.taskFiles.keys()],
    }, new Map([...contents, ...plan.taskFiles]));
    console.log(`Wrote ${directory}; measuring it on data it was not trained on …`);
    const measured = await measure(manifest, MODELS, plan.test);
    await writeManifest(directory, { ...manifest, ...measured });
    console.table(measured.measured.threshold.map(({ condition, ...row }) => ({ ...condition, ...row })));
    console.log(`Ready: npm start serves it; ask for it with ?model=${plan.name}, at the calibrated threshold ${measured.threshold}.`);
}
async function readConfig(defaults, { config, minutes }) {
    const given = config === undefined ? {} : await readJson(config);
    const merged = withDefaults(defaults, given, config ?? 'the configuration');
    if (minutes === undefined)
        return merged;
    return withDefaults(merged, { stageOne: { minutes: positive('--minutes', minutes) } });
}
async function readJson(file) {
    try {
        return JSON.parse(await readFile(file, 'utf8'));
    }
    catch (error) {
        throw new Error(`${file} is not JSON that can be read: ${error.message}`, { cause: error });
    }
}
async function readMatrix(file) {
    await access(file).catch(() => {
        throw new Error(`There is no file ${file}.`);
    });
    try {
        const { shape, data } = readNpy(await readFile(file));
        if (shape.length !== 2 || shape[0] < 1 || shape[1] < 1)
            throw new RangeError(`its shape is (${shape.join(', ')}), not (m, n)`);
        if (!data.every(Number.isFinite))
            throw new RangeError('it holds numbers that are not finite');
        return { rows: shape[0], columns: shape[1], data: Float32Array.from(data) };
    }
    catch (error) {
        throw new Error(`${file} is not a matrix that can be read: ${error.message}`, { cause: error });
    }
}
function positive(flag, text) {
    const value = Number(text);
    if (!(value > 0))
        throw new Error(`${flag} must be a positive number, not ${text}.`);
    return value;
}
const slug = (name) => name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
//# sourceMappingURL=train.js.map