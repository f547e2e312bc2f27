/** A bundle's weights and family, for training to start from and to compare with. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readManifest } from "../bundle/read.js";
import { readNpy } from "../codecs/npy.js";
import { denoiseFamily } from "./denoise.js";
import { recoveryFamily } from "./sparse-recovery.js";
import { readInitializers } from "../graph/model.js";
/** The weights of every segment and decoder, by parameter name. @throws where the bundle is missing */
export async function readWeights(directory) {
    const { segments, decoders } = await readManifest(directory);
    const weights = new Map();
    for (const { file } of [...segments, ...decoders]) {
        const found = readInitializers(await readFile(join(directory, file)));
        for (const [name, data] of found)
            weights.set(name, data);
    }
    return weights;
}
/** The family that a bundle of this project was made of. @throws where the bundle is another exporter's */
export async function readFamily(directory) {
    const { name, task, training } = await readManifest(directory);
    const config = training.config;
    if (typeof config !== 'object' || config === null || !('form' in config))
        throw new Error(`The manifest of ${name} does not say how it was made.`);
    if (task === 'denoise')
        return denoiseFamily(config);
    const { shape, data } = readNpy(await readFile(join(directory, 'matrix.npy')));
    return recoveryFamily(config, { rows: shape[0], columns: shape[1], data: Float32Array.from(data) });
}
//# sourceMappingURL=from-bundle.js.map