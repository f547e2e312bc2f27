/** Synthetic handwritten characters: labelled images for tests and examples. */
import type { LabelledImages } from './class-folders.ts';
import type { Random } from './random.ts';

type Point = readonly [x: number, y: number];

/** Strokes of a character, and control points of each stroke. */
const STROKES = 3;
const BENDS = 3;
/** Points along a curve, and the jitter of a drawing relative to the side of the image. */
const PIECES = 6;
const STRAY = 0.03;
/** Width of the pen, pixels. */
const PEN = 1.1;

/** `each` drawings of every one of `classes` characters: ink (0) on paper (1), gray, `side` pixels wide and high. */
export function drawCharacters(
  classes: number,
  each: number,
  side: number,
  random: Random,
): LabelledImages {
  const characters = Array.from({ length: classes }, () =>
    Array.from({ length: STROKES }, () =>
      Array.from({ length: BENDS }, (): Point => [
        0.12 + 0.76 * random.uniform(),
        0.12 + 0.76 * random.uniform(),
      ]),
    ),
  );
  return {
    labels: characters.map((_, k) => `character ${k + 1}`),
    images: characters.flatMap((strokes) =>
      Array.from({ length: each }, () => ({
        channels: 1 as const,
        width: side,
        height: side,
        data: draw(strokes, side, random),
      })),
    ),
    classes: characters.flatMap((_, k) => new Array<number>(each).fill(k)),
  };
}

function draw(strokes: readonly (readonly Point[])[], side: number, random: Random): Float32Array {
  const stray = ([x, y]: Point): Point => [
    side * (x + STRAY * random.normal()),
    side * (y + STRAY * random.normal()),
  ];
  const lines = strokes.map((stroke) => curve(stroke.map(stray)));
  return Float32Array.from({ length: side * side }, (_, i) => {
    const at: Point = [(i % side) + 0.5, Math.floor(i / side) + 0.5];
    const distance = Math.min(
      ...lines.flatMap((line) => line.slice(1).map((to, k) => distanceTo(at, line[k]!, to))),
    );
    return Math.min(1, Math.max(0, distance - PEN / 2 + 0.5));
  });
}

/** A quadratic Bézier curve as a polyline. */
function curve([a, b, c]: readonly Point[]): Point[] {
  return Array.from({ length: PIECES + 1 }, (_, i) => {
    const t = i / PIECES;
    const mix = (k: 0 | 1): number =>
      (1 - t) ** 2 * a![k] + 2 * t * (1 - t) * b![k] + t * t * c![k];
    return [mix(0), mix(1)];
  });
}

/** Distance from a point to a line segment. */
function distanceTo([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const t = Math.min(
    1,
    Math.max(0, ((x - ax) * dx + (y - ay) * dy) / Math.max(dx * dx + dy * dy, 1e-9)),
  );
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
