/** Colours of drawings. */
import type { Random } from '../../data/random.ts';
import type { Colour } from './canvas.ts';

/** The colours of a drawing. */
export interface Palette {
  readonly ground: Colour;
  /** Text and lines; stands out from the ground. */
  readonly ink: Colour;
  readonly accents: readonly Colour[];
}

/** Black on white, white on black, or saturated colours; channels in any order. */
export function drawPalette(random: Random): Palette {
  const kind = random.uniform();
  const byte = (value: number): number => Math.round(255 * value) / 255;
  const gray = (value: number): Colour => [byte(value), byte(value), byte(value)];
  const saturated = (): Colour => {
    const low = byte(random.uniform() ** 2 * 0.6);
    const high = byte(1 - random.uniform() ** 2 * 0.4);
    const middle =
      random.uniform() < 0.5 ? [low, high][random.integer(2)]! : byte(random.uniform());
    const [r, g, b] = pick(channelOrders, random);
    const values: Colour = [low, middle, high];
    return [values[r], values[g], values[b]];
  };
  const accents = Array.from({ length: 5 }, saturated);
  if (kind < 0.4)
    return {
      ground: gray(random.uniform() < 0.6 ? 1 : 0.9 + 0.1 * random.uniform()),
      ink: gray(0.25 * random.uniform()),
      accents,
    };
  if (kind < 0.6)
    return {
      ground: gray(0.2 * random.uniform()),
      ink: gray(0.75 + 0.25 * random.uniform()),
      accents,
    };
  const ground = saturated();
  const light = luma(ground) > 0.5;
  const plain = random.uniform() < 0.5;
  const opposite: Colour = [byte(1 - ground[0]), byte(1 - ground[1]), byte(1 - ground[2])];
  return { ground, ink: plain ? gray(light ? 0 : 1) : opposite, accents };
}

/** Luma of ITU-R BT.601, in [0,1]. */
export const luma = ([r, g, b]: Colour): number => 0.299 * r + 0.587 * g + 0.114 * b;

/** Every order of three channels. */
export const channelOrders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

/** Linear interpolation between two colours: `a` at share 0, `b` at share 1. */
export const blend = (a: Colour, b: Colour, share: number): Colour => [
  a[0] + share * (b[0] - a[0]),
  a[1] + share * (b[1] - a[1]),
  a[2] + share * (b[2] - a[2]),
];

/** A uniformly random element of a list that is not empty. */
export const pick = <T>(values: readonly T[], random: Random): T =>
  values[random.integer(values.length)]!;
