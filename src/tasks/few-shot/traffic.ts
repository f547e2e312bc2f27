/** Few-shot tasks as callers send them: few or many classes, unequal shots, drawings of any polarity, place, size and pen. */
import type { Planes } from '../../codecs/images.ts';
import { fewestImages, pickClasses, type LabelledImages } from '../../data/class-folders.ts';
import { place } from '../../data/drawings.ts';
import { EpisodeSampler, type EpisodeOptions, type Vary } from '../../data/episodes.ts';
import type { Random } from '../../data/random.ts';
import { inverted, thicken } from '../../codecs/ink.ts';
import { resize } from '../../codecs/resize.ts';
import {
  partOf,
  parts,
  randomOf,
  type Part,
  type Shares,
  type Traffic,
  type TrafficRequest,
} from '../../evaluation/traffic.ts';

/** A class of the mix: how the drawings of a task differ from dark ink that fills light paper. */
export interface DrawingKind {
  readonly kind: string;
  readonly weight: number;
  /** Ink on paper: dark on light or light on dark, one of both for the whole task, or one for each image. */
  readonly ink: 'dark' | 'light' | 'of the task' | 'of the image';
  /** Each drawing has strokes of another width. */
  readonly pens: boolean;
  /** Each drawing is scaled down and lies anywhere on a canvas. */
  readonly placed: boolean;
}

/** The mix of drawings; the weights add up to one. */
export const drawingMix: readonly DrawingKind[] = [
  { kind: 'plain', weight: 0.2, ink: 'dark', pens: false, placed: false },
  { kind: 'light ink', weight: 0.15, ink: 'light', pens: false, placed: false },
  { kind: 'pens', weight: 0.15, ink: 'of the task', pens: true, placed: false },
  { kind: 'placed', weight: 0.25, ink: 'of the task', pens: false, placed: true },
  { kind: 'mixed', weight: 0.25, ink: 'of the image', pens: true, placed: true },
];

/** Least width and height of a canvas, pixels; smaller images are scaled up. */
export const CANVAS = 84;
/** What a pen adds to a stroke on each side, as a share of the side of a canvas that the drawing fills. */
const PEN = { from: -0.009, to: 0.027, spacing: 'linear' } as const;
/** The size of a drawing over that of its canvas. */
const SIZE = { from: 0.25, to: 1, spacing: 'log' } as const;

/** Classes of a task, and images of a class to learn from. */
const [LEAST_WAYS, MOST_WAYS] = [2, 20];
const MOST_SHOTS = 20;
/** The most images that the bundles learn from at a time (`limits.S`). */
const MOST_SUPPORT = 256;

/** How the tasks of a traffic are drawn, and brought to the input of the model. */
export interface FewShotTraffic {
  /** `drawings` are gray, dark ink (0) on light paper (1), and vary by `drawingMix`; `photographs` stay as they are. */
  readonly style: 'drawings' | 'photographs';
  /** Width and height that the model takes, pixels. The images may be larger: canvases are made of them first. */
  readonly side: number;
  /** Queries of each class. */
  readonly queries: number;
  /** Whether an image turned by 90°, 180° or 270° belongs to a class of its own. */
  readonly turns: boolean;
  /** Brings what the caller posted to `side`×`side` as the service does; scales it unless given. */
  readonly prepare?: (posted: Planes) => Planes;
}

/** A task of the mix, with its number of classes K and its shots. */
export interface FewShotRequest extends TrafficRequest {
  readonly ways: number;
  /** Images of each class to learn from, [K]. */
  readonly shots: readonly number[];
}

/**
 * Tasks of the classes of one part; each is a source of its own. Samples hold `support` [S,C,side,side], `labels` [S,K] and
 * `query` [Q,C,side,side]; the truth is [Q].
 */
export const fewShotTraffic = (
  images: LabelledImages,
  part: Part,
  seed: number,
  traffic: FewShotTraffic,
): Traffic<FewShotRequest> => ({
  part,
  draw: (i) => {
    const random = randomOf(part, seed, i);
    const kind = traffic.style === 'drawings' ? random.weighted(drawingMix) : undefined;
    const { ways, shots, support, labels, query, truth } = new EpisodeSampler(
      images,
      random,
      episodeOptions(images, traffic),
      kind ? (ofTask) => drawn(kind, ofTask, traffic) : () => (image) => scaled(image, traffic),
    ).next();
    const s = labels.length / ways;
    const image = [images.images[0]!.channels, traffic.side, traffic.side];
    return Promise.resolve({
      kind: kind?.kind ?? 'photographs',
      source: `${part} ${seed}/${i}`,
      sample: {
        support: { data: support, dims: [s, ...image] },
        labels: { data: labels, dims: [s, ways] },
        query: { data: query, dims: [truth.length, ...image] },
      },
      truth,
      ways,
      shots,
    });
  },
});

/** Drawings of the same mix, to train on: a kind for each task. */
export const varyDrawings =
  (traffic: Pick<FewShotTraffic, 'side' | 'prepare'>): Vary =>
  (ofTask) =>
    drawn(ofTask.weighted(drawingMix), ofTask, traffic);

/** 2 to 20 classes and 1 to 20 images of each, as far as there are classes and images. */
function episodeOptions(
  images: LabelledImages,
  { queries, turns }: FewShotTraffic,
): EpisodeOptions {
  const classes = images.labels.length * (turns ? 4 : 1);
  const most = Math.min(MOST_WAYS, classes);
  return {
    ways: Array.from({ length: most - LEAST_WAYS + 1 }, (_, i) => LEAST_WAYS + i),
    shots: [1, Math.min(MOST_SHOTS, fewestImages(images) - queries)],
    imbalanced: true,
    support: MOST_SUPPORT,
    queries,
    turns,
  };
}

/** The drawings of a task as the model sees them, [1,side,side]. */
function drawn(
  kind: DrawingKind,
  random: Random,
  traffic: Pick<FewShotTraffic, 'side' | 'prepare'>,
): ReturnType<Vary> {
  const canvas = drawCanvases(kind, random);
  return (image) => scaled(canvas(image), traffic);
}

/** The drawings of a task as they are posted: of the images' own size where neither pens nor places differ. */
export function drawCanvases(
  { ink, pens, placed }: DrawingKind,
  random: Random,
): (image: Planes) => Planes {
  const half = (): boolean => random.uniform() < 0.5;
  const all = ink === 'light' || (ink === 'of the task' && half());
  return (image) => {
    const light = ink === 'of the image' ? half() : all;
    if (!pens && !placed) return light ? inverted(image) : image;
    const side = Math.max(CANVAS, image.width);
    let canvas = inverted(resize(image, side, side));
    if (pens) canvas = thicken(canvas, side * random.choose(PEN));
    if (placed)
      canvas = place(canvas, {
        size: random.choose(SIZE),
        across: random.uniform(),
        down: random.uniform(),
      });
    return light ? canvas : inverted(canvas);
  };
}

const scaled = (
  image: Planes,
  { side, prepare }: Pick<FewShotTraffic, 'side' | 'prepare'>,
): Float32Array => (prepare?.(image) ?? resize(image, side, side)).data;

/** Divides classes among parts by a hash of their names; parts without a share have no class. */
export const splitClasses = (
  images: LabelledImages,
  shares: Shares,
): Readonly<Record<Part, LabelledImages>> => {
  const owners = images.labels.map((label) => partOf(label, shares));
  const entries = parts.map((part) => [part, pickClasses(images, (k) => owners[k] === part)]);
  return Object.fromEntries(entries) as Record<Part, LabelledImages>;
};
