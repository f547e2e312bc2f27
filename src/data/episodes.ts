/** Draws few-shot tasks from labelled images: a few classes with a support set and queries. */
import type { Planes } from '../codecs/images.ts';
import type { LabelledImages } from './class-folders.ts';
import { cut } from './cut.ts';
import type { Random } from './random.ts';

/** A few-shot task with K classes (ways), S support images and Q queries. */
export interface Episode {
  readonly ways: number;
  /** Images of each class in the support, [K]. */
  readonly shots: readonly number[];
  /** [S,C,side,side], class by class. */
  readonly support: Float32Array;
  /** [S,K], ones and zeros. */
  readonly labels: Float32Array;
  /** [Q,C,side,side], class by class. */
  readonly query: Float32Array;
  /** The class of each query, [Q], from 0. */
  readonly truth: Float32Array;
}

/** How many classes, support images and queries `EpisodeSampler` draws for a task. */
export interface EpisodeOptions {
  /** Numbers of classes (ways) to draw from. */
  readonly ways: readonly number[];
  /** Minimum and maximum number of support images per class. */
  readonly shots: readonly [number, number];
  /** Draw the number of shots for each class, up to a bound drawn per task; otherwise once for all classes. */
  readonly imbalanced?: boolean;
  /** Maximum size of the support set; tasks with many classes have fewer shots. */
  readonly support?: number;
  /** Queries of each class. */
  readonly queries: number;
  /** Whether an image turned by 90°, 180° or 270° belongs to a class of its own. */
  readonly turns: boolean;
}

/** Augmentation of each image of a task. */
export interface Variation {
  /** Maximum shift in each direction, pixels; the image is mirrored at the border. */
  readonly shift: number;
  /** Half of the images are mirrored left to right. */
  readonly mirror: boolean;
}

/** Custom augmentation: called per task; the function it returns is called per image and returns a square image. */
export type Vary = (random: Random) => (image: Planes) => Float32Array;

/** Draws tasks from square images of one size. */
export class EpisodeSampler {
  private readonly classes: readonly (readonly Planes[])[];
  private readonly vary: Vary;

  /** @throws Error where there are too few classes, or too few images in a class */
  constructor(
    { labels, images, classes }: LabelledImages,
    private readonly random: Random,
    private readonly options: EpisodeOptions,
    variation: Variation | Vary = { shift: 0, mirror: false },
  ) {
    this.vary = typeof variation === 'function' ? variation : shiftAndMirror(variation);
    const grouped = labels.map((): Planes[] => []);
    images.forEach((image, i) => grouped[classes[i]!]!.push(image));
    const { ways, shots, queries, turns } = options;
    const most = Math.max(...ways);
    const there = grouped.length * (turns ? 4 : 1);
    if (there < most)
      throw new Error(
        `A task has ${most} classes, and there are ${there}; give more class folders, or fewer ways.`,
      );
    const small = grouped.findIndex((list) => list.length < shots[1] + queries);
    if (small >= 0) {
      throw new Error(
        `The class ${labels[small]} has ${grouped[small]!.length} images; a task takes ${shots[1]} of a class to learn from and ${queries} to ask about.`,
      );
    }
    this.classes = grouped;
  }

  next(): Episode {
    const { random, options } = this;
    const { queries, turns } = options;
    const ways = random.item(options.ways);
    const shots = this.drawShots(ways);
    const { channels } = this.classes[0]![0]!;
    const vary = this.vary(random);
    const support: Float32Array[] = [];
    const query: Float32Array[] = [];
    const kinds = distinct(ways, this.classes.length * (turns ? 4 : 1), random);
    kinds.forEach((kind, k) => {
      const images = this.classes[Math.floor(kind / (turns ? 4 : 1))]!;
      const turn = turns ? kind % 4 : 0;
      distinct(shots[k]! + queries, images.length, random).forEach((which, i) => {
        const image = rotate(vary(images[which]!), channels, turn);
        (i < shots[k]! ? support : query).push(image);
      });
    });
    const owners = shots.flatMap((count, k) => new Array<number>(count).fill(k));
    return {
      ways,
      shots,
      support: concat(support),
      labels: oneHot(Float32Array.from(owners), ways),
      query: concat(query),
      truth: Float32Array.from({ length: ways * queries }, (_, q) => Math.floor(q / queries)),
    };
  }

  /** Number of support images per class. */
  private drawShots(ways: number): number[] {
    const { random } = this;
    const { shots, imbalanced = false, support = Number.POSITIVE_INFINITY } = this.options;
    const [least, most] = [shots[0], Math.min(shots[1], Math.floor(support / ways))];
    const bound = least + random.integer(most - least + 1);
    return Array.from({ length: ways }, () =>
      imbalanced ? least + random.integer(bound - least + 1) : bound,
    );
  }
}

const shiftAndMirror =
  ({ shift, mirror }: Variation): Vary =>
  (random) =>
  (image) => {
    if (shift === 0 && !mirror) return image.data;
    const [top, left] = [
      random.integer(2 * shift + 1) - shift,
      random.integer(2 * shift + 1) - shift,
    ];
    const varied = new Float32Array(image.data.length);
    cut(image, varied, {
      top,
      left,
      side: image.width,
      mirrored: mirror && random.uniform() < 0.5,
    });
    return varied;
  };

/** `count` different whole numbers in [0, n). */
function distinct(count: number, n: number, random: Random): number[] {
  const taken = new Set<number>();
  while (taken.size < count) taken.add(random.integer(n));
  return [...taken];
}

/** Rotates square planes by `turn` × 90°. */
function rotate(from: Float32Array, channels: number, turn: number): Float32Array {
  if (turn === 0) return from;
  const to = new Float32Array(from.length);
  const area = from.length / channels;
  const side = Math.sqrt(area);
  // Offset of the rotated image in the original, and the strides along its rows and columns.
  const [start, right, down] = [
    [0, 1, side],
    [(side - 1) * side, -side, 1],
    [area - 1, -1, -side],
    [side - 1, side, -1],
  ][turn] as [number, number, number];
  for (let c = 0, o = 0; c < channels; c++) {
    for (let y = 0; y < side; y++) {
      let at = c * area + start + y * down;
      for (let x = 0; x < side; x++, at += right) to[o++] = from[at]!;
    }
  }
  return to;
}

/** Concatenates images of one size. */
function concat(images: readonly Float32Array[]): Float32Array {
  const size = images[0]!.length;
  const result = new Float32Array(images.length * size);
  images.forEach((image, i) => result.set(image, i * size));
  return result;
}

/** One-hot encoding: classes [n] → [n,K]. */
export function oneHot(classes: Float32Array, ways: number): Float32Array {
  const result = new Float32Array(classes.length * ways);
  classes.forEach((k, i) => (result[i * ways + k] = 1));
  return result;
}
