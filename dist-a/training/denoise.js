/** How DnCNN-stop learns: noisy patches of clean images, errors at every exit, both stages. */
import { defaultDncnn, defineDncnn } from "../families/dncnn.js";
import { defaultPublishedDncnn, definePublishedDncnn } from "../families/published-dncnn.js";
import { add, input, log, mul, reduceMean, sub } from "../graph/operators.js";
import { square } from "../graph/functions.js";
import { toModel } from "../graph/model.js";
import { floats, Session, tensor } from "../runtime/session.js";
import { stageOneOf, stageTwoOf } from "./stages.js";
import { unroll } from "./unroll.js";
const stageTwo = { steps: 600, rate: 3e-3, beta: 0.05, lambda: 0.4, divergence: 'forward' };
const noise = { sigma: [5, 55], clipped: 0.25 };
/** The recipe of each form. */
export const denoiseDefaults = {
    half: {
        form: 'half',
        ...defaultDncnn,
        ...noise,
        patch: 64,
        batch: 8,
        seed: 1,
        stageOne: { steps: 20_000, rate: 2e-3, beta: 1 },
        stageTwo,
    },
    published: {
        form: 'published',
        ...defaultPublishedDncnn,
        exits: Array.from({ length: defaultPublishedDncnn.depth }, (_, i) => i + 1),
        ...noise,
        patch: 40,
        batch: 8,
        seed: 1,
        stageOne: { steps: 20_000, rate: 1e-3, beta: 1 },
        stageTwo,
    },
};
/**
 * Added to an error relative to the usual one before its logarithm is taken: exits compete by ratios, which stay
 * moderate however bad an untrained exit is, and patches without texture do not outweigh the others.
 */
const SOFT = 0.25;
export const denoiseFamily = (config) => config.form === 'published' ? definePublishedDncnn(config).family : defineDncnn(config);
/**
 * The batches' inputs: `image` and `clean` [N,C,P,P] in [0,1], and `weight` [N], one over the squared error that is
 * usual at the patch's noise level.
 */
export function denoiseStages(config, batches) {
    const { channels, batch, patch } = config;
    const image = input('image', [batch, channels, patch, patch]);
    const clean = input('clean', [batch, channels, patch, patch]);
    const weight = input('weight', [batch]);
    const published = config.form === 'published' ? definePublishedDncnn(config) : undefined;
    const family = published?.family ?? defineDncnn(config);
    const errorsOf = (outputs) => outputs.map(({ denoised }) => reduceMean(square(sub(denoised, clean)), [1, 2, 3]));
    const learnt = unroll(published?.training ?? family, { image });
    const served = published ? unroll(family, { image }) : learnt;
    const losses = errorsOf(learnt.outputs).map((error) => log(add(mul(error, weight), SOFT)));
    const costs = family.exits.map((exit) => exit / family.depth);
    const first = stageOneOf(family, losses, config.stageOne, batches);
    const second = stageTwoOf(family, errorsOf(served.outputs), served, costs, config.stageTwo, batches);
    if (!published)
        return { family, stages: [first, second] };
    return { family, stages: [{ ...first, finish: (weights) => foldStatistics(published, image, weights, batches) }, second] };
}
/** Batches over which the statistics of batch normalisation are averaged once the layers are learnt. */
const STATISTICS = 32;
async function foldStatistics({ training, moments, fold }, image, weights, batches) {
    const outputs = {};
    let read = { image };
    for (let t = 1; t <= training.depth; t++) {
        if (t > 1) {
            const { mean, variance } = moments(t, read);
            outputs[`mean-${t}`] = mean;
            outputs[`variance-${t}`] = variance;
        }
        read = { image, ...training.layer(t, read) };
    }
    const known = new Map([...weights].map(([name, data]) => [name, { data }]));
    const session = await Session.load(toModel({ outputs, weights: known }));
    const sums = new Map(Object.entries(outputs).map(([name, { shape }]) => [name, new Float32Array(Number(shape[0]))]));
    for (let i = 0; i < STATISTICS; i++) {
        const noisy = batches.next().image;
        const found = await session.run({ image: tensor(floats(noisy), noisy.dims) });
        for (const [name, sum] of sums)
            floats(found[name]).forEach((value, c) => (sum[c] += value / STATISTICS));
    }
    await session.release();
    const layers = Array.from({ length: training.depth - 1 }, (_, i) => i + 2);
    fold(weights, new Map(layers.map((t) => [t, { mean: sums.get(`mean-${t}`), variance: sums.get(`variance-${t}`) }])));
}
/** A mean squared error that denoisers of this kind reach at noise level σ (of 255): about 29 dB at 25, 26 dB at 50. */
export const usualError = (sigma) => 1.2e-3 * (Math.max(sigma, 1) / 25) ** 1.2;
//# sourceMappingURL=denoise.js.map