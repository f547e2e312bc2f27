/** Few-shot tasks drawn from labelled images: a few classes, a few images of each to learn from, and others to be asked about. */
import type { Planes } from '../codecs/images.ts';
import type { LabelledImages } from './class-folders.ts';
import { cut } from './cut.ts';
import type { Random } from './random.ts';

export interface Episode {
  readonly ways: number;
  /** Images of each class in the support. */
  readonly shots: number;
  /** [S,C,side,side], class by class. */
  readonly support: Float32Array;
  /** [S,K], ones and zeros. */
  readonly labels: Float32Array;
  /** [Q,C,side,side], class by class. */
  readonly query: Float32Array;
  /** The class of each query, [Q], from 0. */
  readonly truth: Float32Array;
}

export interface EpisodeOptions {
  /** The numbers of classes a task may have; one is drawn. */
  readonly ways: readonly number[];
  /** The least and the most images of a class; the same for all classes of a task. */
  readonly shots: readonly [number, number];
  /** Queries of each class. */
  readonly queries: number;
  /** Whether an image turned by 90°, 180° or 270° belongs to a class of its own. */
  readonly turns: boolean;
}

/** How each image of a task is varied. */
export interface Variation {
  /** It is moved by up to this many pixels each way; what comes in is mirrored at the border. */
  readonly shift: number;
  /** Half of the images are mirrored left to right. */
  readonly mirror: boolean;
}

/** Draws tasks from images that are all of one size, square. */
export class EpisodeSampler {
  private readonly classes: readonly (readonly Planes[])[];

  /** @throws a sentence where there are too few classes, or images in one */
  constructor(
    { labels, images, classes }: LabelledImages,
    private readonly random: Random,
    private readonly options: EpisodeOptions,
    private readonly variation: Variation = { shift: 0, mirror: false },
  ) {
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
    const { ways: choices, shots: range, queries, turns } = options;
    const ways = choices[random.integer(choices.length)]!;
    const shots = range[0] + random.integer(range[1] - range[0] + 1);
    const { data, channels } = this.classes[0]![0]!;
    const size = data.length;
    const [support, query] = [
      new Float32Array(ways * shots * size),
      new Float32Array(ways * queries * size),
    ];
    const labels = new Float32Array(ways * shots * ways);
    const truth = new Float32Array(ways * queries);
    const kinds = distinct(ways, this.classes.length * (turns ? 4 : 1), random);
    kinds.forEach((kind, k) => {
      const images = this.classes[Math.floor(kind / (turns ? 4 : 1))]!;
      const turn = turns ? kind % 4 : 0;
      distinct(shots + queries, images.length, random).forEach((which, i) => {
        const row = i < shots ? k * shots + i : k * queries + i - shots;
        rotate(
          this.vary(images[which]!),
          channels,
          turn,
          (i < shots ? support : query).subarray(row * size, (row + 1) * size),
        );
        if (i < shots) labels[row * ways + k] = 1;
        else truth[row] = k;
      });
    });
    return { ways, shots, support, labels, query, truth };
  }

  private vary(image: Planes): Float32Array {
    const { random } = this;
    const { shift, mirror } = this.variation;
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
  }
}

/** `count` different whole numbers in [0, n). */
function distinct(count: number, n: number, random: Random): number[] {
  const taken = new Set<number>();
  while (taken.size < count) taken.add(random.integer(n));
  return [...taken];
}

/** Writes square planes turned by `turn` times 90°. */
function rotate(from: Float32Array, channels: number, turn: number, to: Float32Array): void {
  if (turn === 0) return to.set(from);
  const area = from.length / channels;
  const side = Math.sqrt(area);
  // Where the turned image begins in the old one, and the way along its rows and columns.
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
}

/** Ones and zeros [n,K] for classes [n]. */
export function oneHot(classes: Float32Array, ways: number): Float32Array {
  const result = new Float32Array(classes.length * ways);
  classes.forEach((k, i) => (result[i * ways + k] = 1));
  return result;
}
