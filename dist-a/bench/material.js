/** What the benchmarks feed to the models: mixed signals and images. */
import { fileURLToPath } from 'node:url';
import { loadBundles } from "../bundle/read.js";
import { encodeImage, readImage } from "../codecs/images.js";
import { addNoise, readImageFolder } from "../data/images.js";
import { Random } from "../data/random.js";
import { SignalSampler } from "../data/sparse-recovery.js";
const SAMPLE = fileURLToPath(new URL('../../docs/samples/clean.jpg', import.meta.url));
/** The bundle that serves a task where no model is named; for denoising the gray one. */
export async function defaultBundle(modelsDir, task) {
    const { bundles } = await loadBundles(modelsDir);
    const found = bundles.find(({ manifest }) => manifest.task === task && manifest.default && (task !== 'denoise' || manifest.inputs[0].shape[1] === 1));
    if (!found)
        throw new Error(`There is no default model for ${task} in ${modelsDir}.`);
    return found;
}
/** `count` measurement vectors of 20, 30 and 40 dB mixed, one after the other. */
export function mixedMeasurements(matrix, count, seed = 1) {
    return new SignalSampler(matrix, new Random(seed), count, { sparsity: 0.1, snr: [20, 30, 40] }).next().measurements;
}
/** Clean gray images: those of the folder, or the sample picture. */
export async function cleanImages({ images }) {
    return images === undefined ? [await readImage(SAMPLE, 1)] : (await readImageFolder(images, 1)).images;
}
/** A square of `size` from the middle of a gray image, mirrored where the image is smaller, with noise of σ (of 255). */
export function noisySquare({ data, width, height }, size, sigma, seed = 1) {
    const mirror = (i, length) => {
        const at = ((i % (2 * length)) + 2 * length) % (2 * length);
        return at < length ? at : 2 * length - 1 - at;
    };
    const [left, top] = [Math.floor((width - size) / 2), Math.floor((height - size) / 2)];
    const clean = Float32Array.from({ length: size * size }, (_, i) => data[mirror(top + Math.floor(i / size), height) * width + mirror(left + (i % size), width)]);
    const noisy = new Float32Array(size * size);
    addNoise(clean, noisy, sigma, true, new Random(seed));
    return { channels: 1, width: size, height: size, data: noisy };
}
export const toPng = (image) => encodeImage({ ...image, format: 'png', bits: 8, alpha: undefined, source: undefined }, 'png');
//# sourceMappingURL=material.js.map