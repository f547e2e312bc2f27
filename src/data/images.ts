/** Reads folders of clean images and draws noisy training patches from them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { imageFile } from '../codecs/formats.ts';
import { readImage, type Planes } from '../codecs/images.ts';
import { folderError } from './folder-error.ts';
import type { Random } from './random.ts';
import { messageOf } from '../util/message-of.ts';

/**
 * Reads all images below a folder, sorted by name, as planes in [0,1].
 *
 * @param channels 1 or 3; without it 1 where all images are gray, else 3
 * @param keep filter on the bytes of a file; default: all files
 * @throws a sentence where the folder is missing, holds no image, or holds one that cannot be read
 */
export async function readImageFolder(
  folder: string,
  channels?: 1 | 3,
  keep?: (file: Uint8Array) => boolean,
): Promise<{ names: string[]; images: Planes[] }> {
  const entries = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    throw folderError(folder, error, 'Give one with images by --data.');
  });
  const found = entries.filter((name) => imageFile.test(name)).sort();
  const names = keep ? await filterFiles(folder, found, keep) : found;
  if (names.length === 0)
    throw new Error(`The folder ${folder} holds no image (PNG, JPEG, WebP, AVIF or TIFF).`);
  const read = async (wanted?: 1 | 3): Promise<Planes[]> => {
    const images: Planes[] = [];
    for (const name of names) {
      images.push(
        await readImage(join(folder, name), wanted).catch((error: unknown) => {
          throw new Error(`${join(folder, name)} cannot be read as an image: ${messageOf(error)}`, {
            cause: error,
          });
        }),
      );
    }
    return images;
  };
  const images = await read(channels);
  return {
    names,
    images:
      channels || images.every((image) => image.channels === images[0]!.channels)
        ? images
        : await read(3),
  };
}

async function filterFiles(
  folder: string,
  names: readonly string[],
  keep: (file: Uint8Array) => boolean,
): Promise<string[]> {
  const kept: string[] = [];
  for (const name of names) if (keep(await readFile(join(folder, name)))) kept.push(name);
  return kept;
}

/** The Gaussian noise that `PatchSampler` adds to patches. */
export interface NoiseOptions {
  /** Bounds of the noise standard deviation σ, out of 255; σ is drawn per patch. */
  readonly sigma: readonly [number, number];
  /** Distribution of σ; default: uniform. */
  readonly spread?: 'uniform' | 'log-uniform';
  /** The share of patches without noise; 0 where absent. */
  readonly clean?: number;
  /**
   * Over the first `share` of the run the lower bound of σ decreases geometrically from `from` to `sigma[0]`, and no patch is
   * noise-free. With low noise from the first step on, a log-MSE loss drives the network to the identity, from which it
   * does not recover.
   */
  readonly anneal?: { readonly from: number; readonly share: number };
  /** The share of patches that are clipped to [0,1] and rounded to 1/255, as an 8-bit file would hold them. */
  readonly clipped: number;
}

/** A batch of noisy patches: `image` and `clean` are [N,C,P,P]. */
export interface PatchBatch {
  readonly image: Float32Array;
  readonly clean: Float32Array;
  /** Noise level of each patch, out of 255. */
  readonly sigma: Float32Array;
}

/** Draws P×P patches at random positions, rotated and mirrored at random, and adds noise. Buffers are reused. */
export class PatchSampler {
  private readonly batch: PatchBatch;

  constructor(
    private readonly images: readonly Planes[],
    private readonly random: Random,
    private readonly size: number,
    count: number,
    private readonly noise: NoiseOptions,
  ) {
    const small = images.find(({ width, height }) => Math.min(width, height) < size);
    if (small)
      throw new Error(
        `Every image must be at least ${size}×${size} pixels; one is ${small.width}×${small.height}.`,
      );
    const length = count * images[0]!.channels * size * size;
    this.batch = {
      image: new Float32Array(length),
      clean: new Float32Array(length),
      sigma: new Float32Array(count),
    };
  }

  /** @param progress of the run, 0..1 */
  next(progress = 1): PatchBatch {
    const { image, clean, sigma } = this.batch;
    const length = clean.length / sigma.length;
    for (let n = 0; n < sigma.length; n++) {
      const target = clean.subarray(n * length, (n + 1) * length);
      this.cut(target);
      sigma[n] = drawSigma(this.noise, progress, this.random);
      addNoise(
        target,
        image.subarray(n * length, (n + 1) * length),
        sigma[n]!,
        this.random.uniform() < this.noise.clipped,
        this.random,
      );
    }
    return this.batch;
  }

  private cut(target: Float32Array): void {
    const { size, random } = this;
    const { data, width, height, channels } = this.images[random.integer(this.images.length)]!;
    const left = random.integer(width - size + 1);
    const top = random.integer(height - size + 1);
    const turn = random.integer(8);
    // One of the eight symmetries of the square: offset of the patch, and strides along its rows and columns.
    const down = turn & 1 ? -width : width;
    const right = turn & 2 ? -1 : 1;
    const corner = (top + (turn & 1 ? size - 1 : 0)) * width + left + (turn & 2 ? size - 1 : 0);
    const [rowStep, columnStep] = turn & 4 ? [right, down] : [down, right];
    for (let c = 0, o = 0; c < channels; c++) {
      for (let i = 0; i < size; i++) {
        let from = c * height * width + corner + i * rowStep;
        for (let j = 0; j < size; j++, from += columnStep) target[o++] = data[from]!;
      }
    }
  }
}

/** Draws the noise level of a patch; 0 for a clean one. Progress is 0..1. */
export function drawSigma(noise: NoiseOptions, progress: number, random: Random): number {
  const { sigma, spread = 'uniform', clean = 0, anneal } = noise;
  const [low, high] = sigma;
  const left = anneal && progress < anneal.share ? 1 - progress / anneal.share : 0;
  const bound = left > 0 ? low * (anneal!.from / low) ** left : low;
  if (left === 0 && clean > 0 && random.uniform() < clean) return 0;
  const at = random.uniform();
  return spread === 'uniform' ? bound + (high - bound) * at : bound * (high / bound) ** at;
}

/**
 * Adds Gaussian noise to values in [0,1].
 *
 * @param sigma standard deviation, out of 255
 * @param clipped clip to [0,1] and round to 1/255 afterwards
 */
export function addNoise(
  clean: Float32Array,
  noisy: Float32Array,
  sigma: number,
  clipped: boolean,
  random: Random,
): void {
  random.fillNormal(noisy, sigma / 255);
  for (let i = 0; i < clean.length; i++) {
    const value = noisy[i]! + clean[i]!;
    noisy[i] = clipped ? Math.round(255 * Math.min(1, Math.max(0, value))) / 255 : value;
  }
}
