/** Batches of labelled images to learn from: every image once an epoch, shifted and mirrored. */
import type { Planes } from '../codecs/images.ts';
import type { LabelledImages } from './class-folders.ts';
import { Random } from './random.ts';

export interface Augmentation {
  /** Images are shifted by up to this many pixels in both directions; what comes in is mirrored at the border. */
  readonly shift: number;
  /** Half of the images are mirrored left to right. */
  readonly mirror: boolean;
  /** The share of the label that is spread evenly over all classes (Szegedy et al. 2016). */
  readonly smoothing: number;
}

export interface LabelledBatch {
  /** [N,C,side,side] in [0,1]. */
  readonly image: Float32Array;
  /** [N,K], each row adds up to one. */
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
    const length = data.images[0]!.data.length;
    this.batch = { image: new Float32Array(count * length), truth: new Float32Array(count * data.labels.length) };
  }

  next(): LabelledBatch {
    const { image, truth } = this.batch;
    const { images, classes, labels } = this.data;
    const { shift, mirror, smoothing } = this.augmentation;
    const length = images[0]!.data.length;
    truth.fill(smoothing / labels.length);
    for (let n = 0; n < this.count; n++) {
      const i = this.draw();
      const move = (): number => this.random.integer(2 * shift + 1) - shift;
      copyMoved(images[i]!, image.subarray(n * length, (n + 1) * length), move(), move(), mirror && this.random.uniform() < 0.5);
      truth[n * labels.length + classes[i]!]! += 1 - smoothing;
    }
    return this.batch;
  }

  /** What it takes to go on with the same batches. */
  state(): { drawn: number; random: number[] } {
    return { drawn: this.drawn, random: this.random.state() };
  }

  restore({ drawn, random }: { drawn: number; random: readonly number[] }): void {
    this.drawn = drawn;
    this.random.restore(random);
  }

  /** The next image: each epoch has an order of its own, which follows from the seed. */
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

function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function copyMoved({ channels, width, height, data }: Planes, target: Float32Array, down: number, right: number, mirrored: boolean): void {
  const columns = Array.from({ length: width }, (_, x) => inside((mirrored ? width - 1 - x : x) + right, width));
  for (let c = 0, o = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const row = (c * height + inside(y + down, height)) * width;
      for (let x = 0; x < width; x++) target[o++] = data[row + columns[x]!]!;
    }
  }
}

/** A place beyond the border, mirrored at it. */
const inside = (i: number, length: number): number => (i < 0 ? -1 - i : i < length ? i : 2 * length - 1 - i);
