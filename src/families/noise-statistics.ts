/**
 * What can be told of an image's noise before the first layer: energies of its finest details, on the whole and where the
 * image is flat. All are means over the image, so that they do not depend on its size.
 */
import { square } from '../graph/functions.ts';
import {
  abs,
  add,
  asFloat,
  concat,
  conv,
  div,
  expandLike,
  greater,
  log,
  mul,
  neg,
  reciprocal,
  reduceMean,
  reshape,
  scalar,
  slice,
  spaceToDepth,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import type { Parameters } from './family.ts';

/** Added to energies before the logarithm: about the variance of rounding to 8 bits, 1/(12·255²). */
const ROUNDING = 1.3e-6;
/** Side of the neighbourhoods whose energies tell flat places from textured ones, at half resolution. */
const BOX = 5;
/** The mean and range of log-energies from σ 0 to 75 are moved to about [−1,1]. */
const [CENTRE, SPREAD] = [8, 4];

/** Statistics of images with their number K. */
export interface NoiseStatistics {
  readonly count: number;
  /** image [N,C,2h,2w] in [0,1] → statistics [N,K]. */
  readonly of: (image: Value) => Value;
}

/**
 * Statistics of two kinds of detail: the diagonal Haar band, and the second differences (Immerkær 1996) of the Haar average,
 * which noise that was blurred, as by demosaicing or JPEG, reaches as well. Of each: the mean energy, the mean amplitude, and
 * the geometric and harmonic means of local energies. Texture raises the former, noise all of them. For colour also
 * the energy of the channels' mean, which tells common noise from independent noise.
 */
export function defineNoiseStatistics(parameters: Parameters, channels: number): NoiseStatistics {
  const fixed = (name: string, shape: readonly number[], values: readonly number[]): Value =>
    parameters.define(name, shape, () => Float32Array.from(values), 'constant');
  const haar = fixed('haar', [4 * channels, 4 * channels, 1, 1], haarBank(channels));
  const difference = fixed('second-difference', [channels, channels, 3, 3], immerkaer(channels));
  const inner = fixed('inner', [1, 1, 3, 3], Array<number>(9).fill(1 / 9));
  const box = fixed('box', [1, 1, BOX, BOX], Array<number>(BOX * BOX).fill(1 / (BOX * BOX)));

  return {
    count: channels === 1 ? 10 : 14,
    of(image) {
      const bands = conv(spaceToDepth(image, 2), haar);
      const band = (i: number): Value => slice(bands, 1, i * channels, (i + 1) * channels);
      const diagonal = band(0);
      const ones = expandLike(scalar(1), reduceMean(diagonal, [1], true));
      // A second difference needs all its neighbours.
      const inside = asFloat(greater(conv(ones, inner), 0.99));
      const energies = [
        ...detail(diagonal, ones, box),
        ...detail(conv(band(3), difference), inside, box),
        ...(channels === 1 ? [] : detail(reduceMean(diagonal, [1], true), ones, box)),
        logMean(square(band(1))),
        logMean(square(band(2))),
      ];
      return concat(
        energies.map((value) => div(add(value, CENTRE), SPREAD)),
        1,
      );
    },
  };
}

/** Four statistics [N,1] of details [N,C,h,w], over the places where `mask` [N,1,h,w] is 1. */
function detail(details: Value, mask: Value, box: Value): Value[] {
  const share = add(mean(mask), 1e-6);
  const over = (values: Value): Value => div(mean(mul(values, mask)), share);
  const energy = reduceMean(square(details), [1], true);
  const local = add(div(conv(mul(energy, mask), box), add(conv(mask, box), 1e-6)), ROUNDING);
  const amplitude = over(reduceMean(abs(details), [1], true));
  return [
    log(add(over(energy), ROUNDING)),
    mul(log(add(amplitude, Math.sqrt(ROUNDING))), 2),
    over(log(local)),
    neg(log(add(over(reciprocal(local)), 1e-6))),
  ];
}

const mean = (x: Value): Value => reshape(reduceMean(x, [1, 2, 3]), [x.shape[0]!, 1]);
const logMean = (x: Value): Value => log(add(mean(x), ROUNDING));

/** The four Haar bands of 2×2 blocks as a convolution after `spaceToDepth`: diagonal, horizontal, vertical, average. */
function haarBank(channels: number): number[] {
  const signs = [
    [1, -1, -1, 1],
    [1, -1, 1, -1],
    [1, 1, -1, -1],
    [1, 1, 1, 1],
  ];
  return signs.flatMap((band) =>
    each(channels, (to) =>
      band.flatMap((sign) => each(channels, (c) => [c === to ? sign / 2 : 0])),
    ),
  );
}

/** Each channel by itself: the second difference in both directions, scaled to keep the variance of white noise. */
const immerkaer = (channels: number): number[] =>
  each(channels, (to) =>
    each(channels, (from) => [1, -2, 1, -2, 4, -2, 1, -2, 1].map((w) => (to === from ? w / 6 : 0))),
  );

const each = (count: number, row: (i: number) => number[]): number[] =>
  Array.from({ length: count }, (_, i) => row(i)).flat();
