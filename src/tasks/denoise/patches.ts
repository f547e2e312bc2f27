/** Patches of the traffic to learn from: every kind of noise, drawn fast and synchronously. */
import type { Planes } from '../../codecs/images.ts';
import type { PatchBatch } from '../../data/images.ts';
import { Random } from '../../data/random.ts';
import { drawDrawing } from './drawings.ts';
import { throughJpeg } from './jpeg.ts';
import { channelOrders, pick } from './palette.ts';
import { crop } from '../../codecs/crop.ts';
import { noiseLevel, roundTo8Bits, toByte, toGray, toRgb } from './planes.ts';
import {
  drawnAs,
  GRAY_SHARE,
  kinds,
  pickKind,
  trafficSigma,
  type Form,
  type Kind,
  type KindName,
  type SigmaRange,
} from './traffic.ts';

/** Options of {@link TrafficPatchSampler}: batch shape [N,C,P,P], noise mix and drawings. */
export interface PatchOptions {
  /** Side of a patch P, pixels. */
  readonly size: number;
  /** Patches of a batch N. */
  readonly count: number;
  /** 1: photographs become gray; 3: a tenth of them are gray with three equal channels. */
  readonly channels: 1 | 3;
  /** Weights of kinds that shall differ from the traffic's. */
  readonly weights?: Partial<Record<KindName, number>>;
  /** Bounds of σ of independent and shared noise, of 255; the traffic's where absent. */
  readonly sigma?: SigmaRange;
  /** The share of noisy patches that are cut from drawings instead of photographs; none where absent. */
  readonly noisyDrawings?: number;
  /** The share of colour patches whose channels are exchanged and whose saturation is changed; none where absent. */
  readonly recoloured?: number;
  /** Drawings that are made at the start, once; 200 where absent. */
  readonly drawings?: number;
  /** Which drawings. */
  readonly seed: number;
}

/** Start and end of the curriculum's least noise level, of 255, and the share of the training that it takes. */
const CURRICULUM = { from: 25, to: 0.5, share: 0.2 };

/**
 * The least noise level at a time of the training (0 to 1): it falls geometrically from 25 to 0.5 over the first fifth, and is
 * 0 after that. With low noise from the start, networks learn to do nothing: such patches outweigh the others in a log loss.
 */
export function leastSigma(progress: number): number {
  const { from, to, share } = CURRICULUM;
  return progress < share ? from * (to / from) ** (progress / share) : 0;
}

/** How often a patch is drawn for noise of a kind that is strong enough. */
const ATTEMPTS = 8;

interface Patch {
  readonly clean: Planes;
  readonly noisy: Planes;
  /** Root mean square of noisy − clean, of 255. */
  readonly sigma: number;
}

/** An image as 8-bit numbers, [C,H,W]: a quarter of the memory of planes. */
interface Stored {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Draws batches of patches at random places of random images, in the eight symmetries of the square; buffers are reused. The
 * state of `random` is all that is needed to go on with the same batches. JPEG is imitated (`throughJpeg`), so that `next`
 * stays synchronous.
 */
export class TrafficPatchSampler {
  /** Patches whose noise is weaker than this, of 255, are drawn again; see {@link leastSigma}. */
  leastSigma = 0;
  private readonly batch: PatchBatch;
  private readonly photographs: readonly Stored[];
  private readonly drawings: readonly Stored[];
  private readonly mix: readonly Kind[];
  private readonly sigma: SigmaRange;

  /** @throws a sentence where an image is smaller than a patch */
  constructor(
    images: readonly Planes[],
    private readonly random: Random,
    private readonly options: PatchOptions,
  ) {
    const { size, count, channels, weights, sigma = trafficSigma, seed } = options;
    const small = images.find(({ width, height }) => Math.min(width, height) < size);
    if (small)
      throw new Error(
        `Every image must be at least ${size}×${size} pixels; one is ${small.width}×${small.height}.`,
      );
    const length = count * channels * size * size;
    this.batch = {
      image: new Float32Array(length),
      clean: new Float32Array(length),
      sigma: new Float32Array(count),
    };
    this.photographs = images.map((image) => stored(image, channels));
    this.drawings = drawAll(options.drawings ?? 200, Math.max(192, size), channels, seed);
    this.mix = kinds.map((kind) => ({ ...kind, weight: weights?.[kind.name] ?? kind.weight }));
    this.sigma = sigma;
  }

  next(): PatchBatch {
    const { image, clean, sigma } = this.batch;
    const length = clean.length / sigma.length;
    for (let n = 0; n < sigma.length; n++) {
      const kind = pickKind(this.mix, this.random);
      const patch = this.drawAbove(this.leastSigma, kind);
      clean.set(patch.clean.data, n * length);
      image.set(patch.noisy.data, n * length);
      sigma[n] = patch.sigma;
    }
    return this.batch;
  }

  /** A patch of the kind with at least this noise level, else with Gaussian noise above it. */
  private drawAbove(least: number, kind: Kind): Patch {
    const [low, high] = this.sigma;
    const range: SigmaRange = [Math.max(low, least), high];
    for (let i = 0; i < ATTEMPTS; i++) {
      const patch = this.draw(kind, range);
      if (patch.sigma >= least) return patch;
    }
    return this.draw(gaussianKind, range);
  }

  private draw(kind: Kind, range: SigmaRange): Patch {
    const { random } = this;
    const { size, channels, noisyDrawings = 0, recoloured = 0 } = this.options;
    const drawn = kind.source === 'drawing' || random.uniform() < noisyDrawings;
    const source = pick(drawn ? this.drawings : this.photographs, random);
    const margin = Math.min(kind.margin, source.width - size, source.height - size);
    const window = cut(source, size + margin, channels, random);
    if (channels === 3 && random.uniform() < recoloured) recolour(window, random);
    const form: Form =
      channels === 1 ? 'gray' : !drawn && random.uniform() < GRAY_SHARE ? 'gray as RGB' : 'colour';
    const { clean, noisy, jpeg } = drawnAs(form, window, kind, random, range);
    // JPEG's blocks may begin anywhere; other noise is cut from the middle, out of reach of the window's border.
    const offset = (): number => (jpeg ? random.integer(margin + 1) : margin >> 1);
    const [left, top] = [offset(), offset()];
    const inner = (planes: Planes): Planes =>
      margin === 0 ? planes : crop(planes, left, top, size, size);
    const pair = { clean: inner(clean), noisy: inner(jpeg ? throughJpeg(noisy, jpeg) : noisy) };
    return { ...pair, sigma: noiseLevel(pair.clean.data, pair.noisy.data) };
  }
}

const gaussianKind: Kind = kinds.find(({ name }) => name === 'gaussian')!;

function stored(image: Planes, channels: 1 | 3): Stored {
  const { width, height, data } = channels === 1 ? toGray(image) : toRgb(image);
  const bytes = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) bytes[i] = toByte(data[i]!);
  return { width, height, data: bytes };
}

function drawAll(count: number, side: number, channels: 1 | 3, seed: number): Stored[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => stored(drawDrawing([side, side], random), channels));
}

/** A square at a random place, turned or mirrored. */
function cut(image: Stored, size: number, channels: 1 | 3, random: Random): Planes {
  const { width, height, data } = image;
  const left = random.integer(width - size + 1);
  const top = random.integer(height - size + 1);
  const turn = random.integer(8);
  const down = turn & 1 ? -width : width;
  const right = turn & 2 ? -1 : 1;
  const corner = (top + (turn & 1 ? size - 1 : 0)) * width + left + (turn & 2 ? size - 1 : 0);
  const [rowStep, columnStep] = turn & 4 ? [right, down] : [down, right];
  const result = new Float32Array(channels * size * size);
  for (let c = 0, to = 0; c < channels; c++) {
    for (let i = 0; i < size; i++) {
      let from = c * height * width + corner + i * rowStep;
      for (let j = 0; j < size; j++, from += columnStep) result[to++] = data[from]! * (1 / 255);
    }
  }
  return { channels, width: size, height: size, data: result };
}

/** Exchanges the channels, and takes colours towards gray or further from it, in place. */
function recolour({ data }: Planes, random: Random): void {
  const [r, g, b] = pick(channelOrders, random);
  const saturation = 2 * random.uniform();
  const { length } = data;
  const pixels = length / 3;
  const colour = new Float32Array(3);
  for (let i = 0; i < pixels; i++) {
    colour[0] = data[i + r * pixels]!;
    colour[1] = data[i + g * pixels]!;
    colour[2] = data[i + b * pixels]!;
    const mean = (colour[0] + colour[1] + colour[2]) / 3;
    for (let c = 0; c < 3; c++) data[i + c * pixels] = mean + saturation * (colour[c]! - mean);
  }
  roundTo8Bits(data);
}
