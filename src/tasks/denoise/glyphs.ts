/** Lines of made-up text in a stroke font of our own. */
import type { Random } from '../../data/random.ts';
import { stroke, type Canvas, type Colour, type Point } from './canvas.ts';

/**
 * Strokes of each character, separated by commas; a point is two digits, x (0…4) and y (capitals begin at 0, small letters at
 * 2, the base line is at 6, descenders end at 8).
 */
const FONT: Readonly<Record<string, string>> = {
  a: '12 32 43 46,44 14 05 16 36 45',
  b: '00 06,03 12 32 43 45 36 16 05',
  c: '43 32 12 03 05 16 36 45',
  d: '40 46,43 32 12 03 05 16 36 45',
  e: '04 44 43 32 12 03 05 16 36 45',
  f: '40 30 21 26,02 42',
  g: '42 47 38 18 07,43 32 12 03 05 16 36 45',
  h: '00 06,03 12 32 43 46',
  i: '22 26,20 20',
  k: '00 06,42 04,14 46',
  l: '20 26',
  m: '02 06,03 12 23 26,23 32 43 46',
  n: '02 06,03 12 32 43 46',
  o: '12 32 43 45 36 16 05 03 12',
  p: '02 08,03 12 32 43 45 36 16 05',
  r: '12 16,14 23 42',
  s: '43 32 12 03 14 34 45 36 16 05',
  t: '10 15 26 36,02 32',
  u: '02 05 16 36 45,42 46',
  v: '02 26 42',
  w: '02 16 24 36 42',
  x: '02 46,42 06',
  y: '02 25,42 25 08',
  z: '02 42 06 46',
  A: '06 20 46,14 34',
  B: '00 06 36 45 44 33 03,33 42 41 30 00',
  D: '00 06 26 44 42 20 00',
  E: '40 00 06 46,03 33',
  H: '00 06,40 46,03 43',
  M: '06 00 24 40 46',
  N: '06 00 46 40',
  R: '06 00 30 41 42 33 03,23 46',
  T: '00 40,20 26',
  0: '10 30 41 45 36 16 05 01 10',
  1: '11 20 26',
  2: '01 10 30 41 42 06 46',
  3: '01 10 30 41 42 33 23,33 44 45 36 16 05',
  4: '36 30 04 44',
  5: '40 00 03 33 44 45 36 06',
  6: '40 20 02 05 16 36 45 44 33 13 04',
  7: '00 40 16',
  8: '13 02 01 10 30 41 42 33 13 04 05 16 36 45 44 33',
  9: '42 33 13 02 01 10 30 41 44 26',
  '.': '26 26',
  ',': '26 17',
  '-': '14 34',
  ':': '23 23,26 26',
};
const strokesOf = new Map(
  Object.entries(FONT).map(([character, strokes]) => [
    character,
    strokes
      .split(',')
      .map((line) => line.split(' ').map((point): Point => [Number(point[0]), Number(point[1])])),
  ]),
);
const SMALL = 'aaabcddeeeeefghiiikllmnnnoooprrrsssttttuuvwxyz';
const CAPITAL = 'ABDEHMNRT';
const DIGIT = '0123456789';

/** Size, stroke width, slant and antialiasing of drawn text. */
export interface Typeface {
  /** Height of the capitals, pixels. */
  readonly size: number;
  /** Width of the strokes, pixels. */
  readonly pen: number;
  /** How far strokes lean: pixels right for each pixel up. */
  readonly slant: number;
  readonly subpixels: boolean;
}

/** A random typeface with capitals `size` pixels high; bold, slant and subpixels vary. */
export function drawTypeface(random: Random, size: number): Typeface {
  const weight = random.uniform() < 0.25 ? 0.22 : 0.12;
  return {
    size,
    pen: Math.max(1, weight * size),
    slant: random.uniform() < 0.15 ? 0.2 : 0,
    subpixels: random.uniform() < 0.25,
  };
}

/** Words of about `length` characters together; some are numbers. */
export function drawWords(random: Random, length: number): string {
  const letters = (from: string, count: number): string =>
    Array.from({ length: count }, () => from[random.integer(from.length)]!).join('');
  const words: string[] = [];
  for (let count = 0; count < length; count += words.at(-1)!.length + 1) {
    const size = 2 + random.integer(8);
    const kind = random.uniform();
    if (kind < 0.12) words.push(letters(DIGIT, Math.min(4, size)) + (kind < 0.04 ? '.5' : ''));
    else if (kind < 0.3) words.push(letters(CAPITAL, 1) + letters(SMALL, size));
    else words.push(letters(SMALL, size) + (kind > 0.9 ? ',' : kind > 0.85 ? '.' : ''));
  }
  return words.join(' ').slice(0, length);
}

/** Width of a text, pixels. */
export const widthOf = (text: string, { size }: Typeface): number => (text.length * size) / 1.05;

/** Writes a text with the upper left corner of its first capital at (left, top). */
export function write(
  canvas: Canvas,
  text: string,
  [left, top]: Point,
  face: Typeface,
  colour: Colour,
): void {
  const { size, pen, slant, subpixels } = face;
  const advance = widthOf('x', face);
  Array.from(text).forEach((character, i) => {
    for (const line of strokesOf.get(character) ?? []) {
      const points = line.map(([x, y]): Point => [
        left + i * advance + (x * size) / 6 + (slant * ((6 - y) * size)) / 6 + pen / 2,
        top + (y * size) / 6 + pen / 2,
      ]);
      canvas.paint(stroke(points, pen), colour, subpixels);
    }
  });
}
