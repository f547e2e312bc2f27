/** Training batches of labelled images: every image once per epoch, with random crops and mirroring. */
import type { LabelledImages } from './class-folders.ts';
import { cut } from './cut.ts';
import { Random } from './random.ts';
import Type from 'typebox';
import Value from 'typebox/value';

const State = Type.Object({
  drawn: Type.Integer({ minimum: 0 }),
  random: Type.Array(Type.Integer()),
});

/** Random crops and mirroring of training images, and smoothing of their labels. */
export interface Augmentation {
  /** Width and height of the crop, pixels; at most the side of the image. */
  readonly crop: number;
  /** Maximum distance of the crop beyond the border, pixels; the image is mirrored there. */
  readonly shift: number;
  /** Half of the images are mirrored left to right. */
  readonly mirror: boolean;
  /** Label smoothing: the share of the label spread evenly over all classes (Szegedy et al. 2016). */
  readonly smoothing: number;
}

/** N images with C channels, and their target distributions over K classes. */
export interface LabelledBatch {
  /** [N,C,crop,crop] in [0,1]. */
  readonly image: Float32Array;
  /** [N,K], each row sums to 1. */
  readonly truth: Float32Array;
}

/** Draws batches of N images; buffers are reused. */
export class LabelledSampler {
  private readonly batch: LabelledBatch;
  private readonly random: Random;
  private order: number[] = [];
  private epoch = -1;
  private drawn = 0;

  constructor(
    private readonly data: LabelledImages,
    private readonly seed: number,
    private readonly count: number,
    private readonly augmentation: Augmentation,
  ) {
    this.random = new Random(seed);
    const { channels } = data.images[0]!;
    this.batch = {
      image: new Float32Array(count * channels * augmentation.crop ** 2),
      truth: new Float32Array(count * data.labels.length),
    };
  }

  next(): LabelledBatch {
    const { image, truth } = this.batch;
    const { images, classes, labels } = this.data;
    const { crop, shift, mirror, smoothing } = this.augmentation;
    const length = image.length / this.count;
    truth.fill(smoothing / labels.length);
    for (let n = 0; n < this.count; n++) {
      const i = this.draw();
      const from = (side: number): number =>
        this.random.integer(side - crop + 2 * shift + 1) - shift;
      const { width, height } = images[i]!;
      const [top, left] = [from(height), from(width)];
      cut(images[i]!, image.subarray(n * length, (n + 1) * length), {
        top,
        left,
        side: crop,
        mirrored: mirror && this.random.uniform() < 0.5,
      });
      truth[n * labels.length + classes[i]!]! += 1 - smoothing;
    }
    return this.batch;
  }

  /** State from which the same batches continue. */
  state(): { drawn: number; random: number[] } {
    return { drawn: this.drawn, random: this.random.state() };
  }

  /** @throws RangeError where this is no state of a sampler */
  restore(state: unknown): void {
    if (!Value.Check(State, state)) throw new RangeError('this is no state of a sampler');
    this.drawn = state.drawn;
    this.random.restore(state.random);
  }

  /** The next image; each epoch has its own order, determined by the seed. */
  private draw(): number {
    const { length } = this.data.images;
    const epoch = Math.floor(this.drawn / length);
    if (epoch !== this.epoch) {
      this.order = shuffled(length, new Random(this.seed + 7919 * (epoch + 1)));
      this.epoch = epoch;
    }
    return this.order[this.drawn++ % length]!;
  }
}

/** The numbers 0 … count − 1 in random order. */
export function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
