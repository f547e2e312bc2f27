/** Inputs of the benchmarks: signals, tasks and images. */
import { fileURLToPath } from 'node:url';
import { channelsOf, type Manifest } from '../../src/bundle/manifest.ts';
import { loadBundles, type Bundle } from '../../src/bundle/read.ts';
import { encodeImage, readImage, type Planes } from '../../src/codecs/images.ts';
import { drawCharacters } from '../../src/data/characters.ts';
import { addNoise, readImageFolder } from '../../src/data/images.ts';
import { Random } from '../../src/data/random.ts';
import { fewShotTasks } from '../../src/tasks/few-shot/test-data.ts';
import type { TestData } from '../../src/evaluation/data.ts';
import { SignalSampler, type Matrix } from '../../src/data/sparse-recovery.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { StoppingParameters } from '../../src/stopping/parameters.ts';
import { packRequest } from '../../src/tasks/pack.ts';
import type { BenchOptions } from './row.ts';

const SAMPLE = fileURLToPath(new URL('../../docs/samples/clean.jpg', import.meta.url));

/** The default bundle of a task; of several, such as gray and colour, the one with fewest channels. @throws Error if there is none. */
export async function defaultBundle(modelsDir: string, task: Manifest['task']): Promise<Bundle> {
  const { bundles } = await loadBundles(modelsDir);
  const [found] = bundles
    .filter(({ manifest }) => manifest.task === task && manifest.default)
    .sort((a, b) => channelsOf(a.manifest) - channelsOf(b.manifest));
  if (!found) throw new Error(`There is no default model for ${task} in ${modelsDir}.`);
  return found;
}

/** `count` measurement vectors with SNRs of 20, 30 and 40 dB mixed, concatenated: [count,m]. */
export function mixedMeasurements(matrix: Matrix, count: number, seed = 1): Float32Array {
  return new SignalSampler(matrix, new Random(seed), count, {
    sparsity: 0.1,
    snr: [20, 30, 40],
  }).next().measurements;
}

/** Few-shot tasks of synthetic characters, 20-way with 1 to 5 shots. */
export function syntheticTasks({ inputs }: Manifest, count = 24): TestData {
  const side = Number(inputs.find(({ name }) => name === 'query')!.shape[3]);
  const characters = drawCharacters(60, 10, side, new Random(1));
  return fewShotTasks(characters, 'synthetic characters', {
    settings: [{ ways: 20, shots: [1, 5] }],
    count,
    queries: 5,
    turns: true,
  });
}

/** Clean gray images from the folder, or the sample image. */
export async function cleanImages({ images }: BenchOptions): Promise<Planes[]> {
  return images === undefined
    ? [await readImage(SAMPLE, 1)]
    : (await readImageFolder(images, 1)).images;
}

/** Central square of a gray image (mirrored if the image is smaller) with Gaussian noise of σ (of 255), clipped. */
export function noisySquare(
  { data, width, height }: Planes,
  size: number,
  sigma: number,
  seed = 1,
): Planes {
  const mirror = (i: number, length: number): number => {
    const at = ((i % (2 * length)) + 2 * length) % (2 * length);
    return at < length ? at : 2 * length - 1 - at;
  };
  const [left, top] = [Math.floor((width - size) / 2), Math.floor((height - size) / 2)];
  const clean = Float32Array.from(
    { length: size * size },
    (_, i) =>
      data[mirror(top + Math.floor(i / size), height) * width + mirror(left + (i % size), width)]!,
  );
  const noisy = new Float32Array(size * size);
  addNoise(clean, noisy, sigma, true, new Random(seed));
  return { channels: 1, width: size, height: size, data: noisy };
}

export const toPng = (image: Planes): Promise<Uint8Array> =>
  encodeImage({ ...image, format: 'png', bits: 8, alpha: undefined, source: undefined }, 'png');

/** A request of a task, as the service would send it to a worker. */
export const perform = (
  engine: Engine,
  task: string,
  contentType: string,
  body: Uint8Array,
  stopping: StoppingParameters = {},
): ReturnType<Engine['perform']> =>
  engine.perform(() => packRequest({ task, contentType, body, stopping, options: {} }));
