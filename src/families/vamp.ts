/**
 * Unfolded vector approximate message passing (Rangan, Schniter & Fletcher 2017; Borgerding, Schniter & Rangan 2017):
 * measurements [N,m] → signal [N,n]. A layer is a linear estimate of the signal from the residual, followed by the
 * posterior mean under a sparse prior; the Onsager corrections decorrelate the error of one from the other. Noise level,
 * sparsity and amplitude are estimated for each sample by expectation maximisation (Fletcher & Schniter 2017), which small
 * learnt networks correct: a few hundred parameters per layer, so that a model for a new matrix is trained in minutes.
 *
 * Measurements are divided by their root mean square and the matrix by that of its columns' norms; the signal is multiplied
 * back where it is read out. So y → c·y gives c·x, and a matrix of any scale gives the same model.
 *
 * Where the entries of the signals have known sizes, such as the coefficients of images, the signal is expressed in those
 * units. Every entry then has a prior, an error and a correction of its own, and the variance of the prior depends on the
 * sample (textured or flat), as in a Gaussian scale mixture.
 *
 * The two matrix products of a layer are small, so for a single request the number of operators counts: sums over the
 * spectrum are products with constants, one Log covers all levels, and linear functions of them are folded into the weights.
 */
import { square } from '../graph/functions.ts';
import {
  abs,
  add,
  clip,
  concat,
  div,
  matmul,
  max,
  mul,
  reciprocal,
  reduceMax,
  reduceMean,
  sqrt,
  sub,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { type Family, type Values } from './family.ts';
import type { Matrix } from './matrix.ts';
import { prepare, type Constants } from './vamp-constants.ts';
import { defineLayer, overEntries, TINY } from './vamp-layer.ts';
import { definePolicy } from './vamp-policy.ts';

/** Measurement matrix A [m,n], size of the model and, where known, scales of the signal. */
export interface VampConfig {
  readonly matrix: Matrix;
  readonly depth: number;
  /** The depths at which the policy is asked; every layer where absent. */
  readonly exits?: readonly number[] | undefined;
  /** Width of the hidden layers of the level estimator and of the policy. */
  readonly hidden: number;
  /** Root mean square of each entry of the signals, [n]; absent where all are alike. */
  readonly scales?: Float32Array | undefined;
}

/** 24 layers, with hidden layers of 12 units. */
export const defaultVamp: Omit<VampConfig, 'matrix'> = { depth: 24, hidden: 12 };

/**
 * From this layer on all layers share their weights. Layers of their own are no better there, and the iteration would not
 * settle: the answers of two late exits would differ by chance.
 */
const SHARED_FROM = 6;

/** The least positive normal float32: the zero vector is divided by it, and stays zero. */
const LEAST = 1.2e-38;
/** Least slope of the denoiser: entries that no signal uses get an error of 10¹² times their variance. */
const LEAST_SLOPE = 1e-12;
/** The sparsity that the first layer starts from. */
const FIRST_SPARSITY = 0.05;

/**
 * With A = U diag(s) Vᵀ the state holds the measurements in the basis of U (`rotated`, [N,k]), their scale (`scale`, [N,1]),
 * the linear stage's input (`prediction`, [N,n]), the levels of its error, of the noise and of the prior (`levels`, [N,4]),
 * the estimate in the units of the caller (`signal`, [N,n]), the error it expects of itself (`uncertainty`, [N,1]) and what
 * that was at the exit before (`before`, [N,1]); all but the signal in units of the normalised problem.
 */
export function defineVamp({ matrix, depth, exits, hidden, scales }: VampConfig): Family {
  const { m, n, values, unit, constants, parameters } = prepare(matrix, scales);
  const power = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  // Far beyond any entry of a normalised signal, which is at most about √m: small matrices may diverge.
  const bound = 10 * Math.sqrt(m);
  const asked = exits ?? Array.from({ length: depth }, (_, i) => i + 1);
  const layers = Array.from({ length: Math.min(depth, SHARED_FROM) }, (_, i) =>
    defineLayer(parameters, constants, i + 1, hidden, scales ? n : 1),
  );
  const policies = new Map(
    asked.slice(0, -1).map((t) => [t, definePolicy(parameters, constants, t, hidden)]),
  );

  return {
    name: 'vamp',
    depth,
    exits: asked,
    inputs: { measurements: ['N', m] },
    outputs: ['signal'],
    parameters: parameters.all,
    layer(t, given): Values {
      const { scales, relative } = constants;
      const layer = layers[Math.min(t, SHARED_FROM) - 1]!;
      const read = given.rotated ? given : normalised(given.measurements!, constants, unit);
      const rotated = read.rotated!;
      const { prediction } = read;
      const residual = prediction ? sub(rotated, matmul(prediction, constants.bt)) : rotated;
      const { levels, ...prior } = layer.levels(
        residual,
        (squares) => read.levels ?? firstLevels(squares, power),
      );
      const { step, error, noise } = linearStage(residual, constants, levels);
      const moved = prediction ? add(prediction, step) : step;
      const { mean, posterior, odds, slab } = layer.shrink(moved, error, prior);
      // ⟨η′⟩ of the posterior mean is the posterior variance over the variance of its input error.
      const slope = clip(div(posterior, error), scales ? LEAST_SLOPE : 1e-4, 0.95);
      const ratio = div(slope, sub(1, slope));
      return {
        rotated,
        scale: read.scale!,
        prediction: clip(add(mean, mul(sub(mean, moved), ratio)), -bound, bound),
        levels: concat([overEntries(mul(error, ratio)), noise, odds, slab], 1),
        signal: mul(mean, scales ? mul(scales, read.scale!) : read.scale!),
        uncertainty: relative ? overEntries(mul(posterior, relative)) : posterior,
        ...((t === 1 || asked.includes(t - 1)) && {
          before: read.uncertainty ?? levels.variance,
        }),
      };
    },
    policy: (t, read) => policies.get(t)!(read),
  };
}

/**
 * Measurements over their root mean square, in the basis of U, and the factor of the answer. They are divided by the largest
 * magnitude first: the square of a number beyond 10¹⁹ is not a float32.
 */
function normalised(measurements: Value, { u }: Constants, unit: number): Values {
  const largest = max(reduceMax(abs(measurements), [1], true), LEAST);
  const within = div(measurements, largest);
  const size = max(sqrt(reduceMean(square(within), [1], true)), LEAST);
  return { rotated: matmul(div(within, size), u), scale: mul(mul(size, 1 / unit), largest) };
}

/** Initial levels: all measured power is signal, a thousandth of it noise, and one entry in twenty is not zero; [N,4]. */
function firstLevels(squares: Value, power: number): Value {
  const total = add(reduceMean(squares, [1], true), TINY);
  const odds = FIRST_SPARSITY / (1 - FIRST_SPARSITY);
  return concat(
    [1 / power, 1e-3, 0, 1 / power / FIRST_SPARSITY].map((share, i) =>
      i === 2 ? add(mul(total, 0), odds) : mul(total, share),
    ),
    1,
  );
}

/**
 * The unbiased linear minimum-mean-square-error step, the variance of its error (one for all entries, or one each), and the
 * noise by one step of expectation maximisation.
 */
function linearStage(
  residual: Value,
  { b, powers, shares, entries }: Constants,
  { variance, noise }: Record<'variance' | 'noise', Value>,
): { step: Value; error: Value; noise: Value } {
  const relative = div(noise, variance);
  const inverse = reciprocal(add(powers, relative));
  const weighted = mul(residual, inverse);
  // The part of a residual that is noise, on average over the spectrum.
  const trust = mul(reduceMean(inverse, [1], true), relative);
  const found = add(
    mul(reduceMean(square(weighted), [1], true), square(relative)),
    mul(noise, sub(1, trust)),
  );
  if (shares) {
    const share = matmul(inverse, shares);
    const step = div(matmul(weighted, b), share);
    // Where the share is nearly one, rounding must not make the error negative.
    const error = max(sub(div(variance, share), variance), mul(variance, 1e-6));
    return { step, error, noise: found };
  }
  // 1 − share as a sum: where it is small the difference would lose all digits.
  const rest = add(mul(trust, entries), 1 - entries);
  const share = sub(1, rest);
  return {
    step: div(matmul(weighted, b), share),
    error: div(mul(variance, rest), share),
    noise: found,
  };
}
