import { PatchSampler } from "../data/images.js";
import { Random } from "../data/random.js";
import { SignalSampler } from "../data/sparse-recovery.js";
import { tensor } from "../runtime/session.js";
import { denoiseStages, usualError } from "./denoise.js";
import { lower, perPixel, perSample } from "./export.js";
import { runStages } from "./loop.js";
import { recoveryStages } from "./sparse-recovery.js";
import { initialWeights } from "./weights.js";
/** Learns to denoise from clean images, all gray or all in colour. */
export async function trainDenoise(config, images, options) {
    const random = new Random(config.seed);
    const { channels, batch, patch } = config;
    const sampler = new PatchSampler(images, random, patch, batch, config);
    const dims = [batch, channels, patch, patch];
    const next = () => {
        const { image, clean, sigma } = sampler.next();
        const weight = Float32Array.from(sigma, (value) => 1 / usualError(value));
        return { image: tensor(image, dims), clean: tensor(clean, dims), weight: tensor(weight, [batch]) };
    };
    const { family, stages } = denoiseStages(config, { next });
    const weights = startingWeights(family, random, options.from);
    const spent = await runStages(stages, { ...options, weights, source: sourceOf(random), config });
    return {
        lowered: lower(family, weights, perPixel),
        provenance: { config, stages: spent, data: `${images.length} images`, seed: config.seed },
    };
}
/** Learns to recover sparse signals from measurements through a given matrix. */
export async function trainRecovery(config, matrix, options) {
    const random = new Random(config.seed);
    const { batch } = config;
    const sampler = new SignalSampler(matrix, random, batch, config);
    const next = () => {
        const { measurements, signals } = sampler.next();
        return { measurements: tensor(measurements, [batch, matrix.rows]), truth: tensor(signals, [batch, matrix.columns]) };
    };
    const { family, stages } = recoveryStages(config, matrix, { next });
    const weights = startingWeights(family, random, options.from);
    const spent = await runStages(stages, { ...options, weights, source: sourceOf(random), config });
    return {
        lowered: lower(family, weights, perSample),
        provenance: { config, stages: spent, data: `drawn for a matrix of ${matrix.rows}×${matrix.columns}`, seed: config.seed },
    };
}
function startingWeights(family, random, from = new Map()) {
    const weights = initialWeights(family, random.normal);
    for (const [name, data] of from) {
        if (weights.get(name)?.length !== data.length) {
            throw new Error(`The weights to start from have a ${name} of ${data.length} values, which this model has not.`);
        }
        weights.set(name, data);
    }
    return weights;
}
const sourceOf = (random) => ({
    state: () => random.state(),
    restore: (state) => random.restore(state),
});
//# sourceMappingURL=run.js.map