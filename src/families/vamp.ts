/**
 * Unfolded vector approximate message passing (Rangan, Schniter & Fletcher 2017; Borgerding, Schniter & Rangan 2017):
 * measurements [N,m] → signal [N,n]. A layer is a linear estimate of the signal from the residual, followed by the
 * posterior mean under a sparse prior; the Onsager corrections decorrelate the error of one from the other. Prior, noise
 * level and error levels are learnt: a few parameters per layer, so that a model for a new matrix is trained in minutes.
 *
 * Where the entries of the signals have known sizes, such as the coefficients of images, the signal is expressed in those
 * units. Every entry then has a prior, an error and a correction of its own, and the variance of the prior depends on the
 * sample (textured or flat), as in a Gaussian scale mixture.
 *
 * The two matrix products of a layer are small, so for a single request the number of operators counts: sums over the
 * spectrum are products with constants, one Log covers all levels, and linear functions of them are folded into the weights.
 */
import { linear, square } from '../graph/functions.ts';
import {
  add,
  clip,
  concat,
  div,
  exp,
  log,
  matmul,
  mul,
  reciprocal,
  reduceMean,
  relu,
  reshape,
  sigmoid,
  slice,
  sub,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { constant, normal, type Family, type Parameters, type Values } from './family.ts';
import type { Matrix } from './matrix.ts';
import { BANDS, prepare, type Constants } from './vamp-constants.ts';

/** Measurement matrix A [m,n], size of the model and, where known, scales of the signal. */
export interface VampConfig {
  readonly matrix: Matrix;
  readonly depth: number;
  /** Width of the hidden layers of the level estimator and of the policy. */
  readonly hidden: number;
  /** Root mean square of each entry of the signals, [n]; absent where all are alike. */
  readonly scales?: Float32Array | undefined;
}

/** 12 layers, each an exit, with hidden layers of 12 units. */
export const defaultVamp: Omit<VampConfig, 'matrix'> = { depth: 12, hidden: 12 };

const TINY = 1e-10;

/**
 * With A = U diag(s) Vᵀ the state holds the measurements in the basis of U (`rotated`, [N,k]), the linear stage's input
 * (`prediction`, [N,n]), the variances of its error and of the noise (`levels`, [N,2]), the estimate (`signal`, [N,n]) and
 * the error it expects of itself (`uncertainty`, [N,1]).
 */
export function defineVamp({ matrix, depth, hidden, scales }: VampConfig): Family {
  const { m, n, values, constants, parameters } = prepare(matrix, scales);
  const power = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  const layers = Array.from({ length: depth }, (_, i) =>
    defineLayer(parameters, constants, i + 1, hidden, scales ? n : 1),
  );
  const policies = layers
    .slice(0, -1)
    .map((_, i) => definePolicy(parameters, constants, i + 1, hidden));

  return {
    name: 'vamp',
    depth,
    exits: layers.map((_, i) => i + 1),
    inputs: { measurements: ['N', m] },
    outputs: ['signal'],
    parameters: parameters.all,
    layer(t, read): Values {
      const layer = layers[t - 1]!;
      const rotated = read.rotated ?? matmul(read.measurements!, constants.u);
      const residual = read.prediction
        ? sub(rotated, matmul(read.prediction, constants.bt))
        : rotated;
      const { variance, noise, activity } = layer.levels(
        residual,
        (squares) => read.levels ?? firstLevels(squares, power),
      );
      const { step, error } = linearStage(residual, constants, variance, noise);
      const moved = read.prediction ? add(read.prediction, step) : step;
      const { mean, posterior } = layer.shrink(moved, error, activity);
      const signal = constants.scales ? mul(mean, constants.scales) : mean;
      // ⟨η′⟩ of the posterior mean is the posterior variance over the variance of its input error.
      const slope = clip(div(posterior, error), 1e-4, 0.95);
      const ratio = div(slope, sub(1, slope));
      return {
        rotated,
        prediction: add(mean, mul(sub(mean, moved), ratio)),
        levels: concat([overEntries(mul(error, ratio)), noise], 1),
        signal,
        size: reduceMean(square(signal), [1], true),
        uncertainty: constants.scales
          ? overEntries(mul(posterior, square(constants.scales)))
          : posterior,
      };
    },
    policy: (t, read) => policies[t - 1]!(read),
  };
}

/** Initial levels: all measured power is signal, a thousandth of it noise; [N,2]. */
function firstLevels(squares: Value, power: number): Value {
  const total = add(reduceMean(squares, [1], true), TINY);
  return concat([mul(total, 1 / power), mul(total, 1e-3)], 1);
}

/** Mean over entries: [N,1] or [N,n] → [N,1]. */
const overEntries = (values: Value): Value =>
  values.shape[1] === 1 ? values : reduceMean(values, [1], true);

/** The unbiased linear minimum-mean-square-error step and the variance of its error: one for all entries, or one each. */
function linearStage(
  residual: Value,
  { b, powers, shares }: Constants,
  variance: Value,
  noise: Value,
): { step: Value; error: Value } {
  const inverse = reciprocal(add(powers, div(noise, variance)));
  const share = matmul(inverse, shares);
  const step = div(matmul(mul(residual, inverse), b), share);
  return { step, error: sub(div(variance, share), variance) };
}

interface Levels {
  readonly variance: Value;
  readonly noise: Value;
  /** Log variance of the signal relative to its usual variance, [N,1]; only where entries are scaled. */
  readonly activity?: Value;
}

/** @param entries number of priors: 1 for all entries, or n */
function defineLayer(
  parameters: Parameters,
  { bands, features }: Constants,
  t: number,
  hidden: number,
  entries: number,
) {
  const name = (part: string): string => `layer-${t}-${part}`;
  const number = (part: string, value: number): Value =>
    parameters.define(name(part), [entries], constant(entries, value));
  const outputs = entries > 1 ? 3 : 2;
  const inputs = BANDS + 2;
  const w1 = parameters.define(name('levels-w1'), [inputs, hidden], normal(inputs * hidden, 0.3));
  const b1 = parameters.define(name('levels-b1'), [hidden], constant(hidden, 0));
  const w2 = parameters.define(name('levels-w2'), [hidden, outputs], constant(outputs * hidden, 0));
  const b2 = parameters.define(name('levels-b2'), [outputs], constant(outputs, 0));
  // A tenth of the entries are nonzero, with variance one. Where entries are scaled half of them, so that the mean square is one.
  const odds = number('log-odds', entries > 1 ? 0 : -2.2);
  const slab = number('log-slab', entries > 1 ? Math.LN2 : 0);
  const trust = number('log-trust', 0);

  return {
    /** Corrects the expected levels of error and noise from the residual's power over the spectrum. */
    levels(residual: Value, before: (squares: Value) => Value): Levels {
      const squares = square(residual);
      const expected = before(squares);
      const logs = log(concat([add(matmul(squares, bands), TINY), expected], 1));
      const found = clip(linear(relu(linear(logs, matmul(features, w1), b1)), w2, b2), -8, 8);
      const levels = add(mul(expected, exp(outputs > 2 ? slice(found, 1, 0, 2) : found)), TINY);
      return {
        variance: slice(levels, 1, 0, 1),
        noise: slice(levels, 1, 1, 2),
        ...(outputs > 2 && { activity: slice(found, 1, 2, 3) }),
      };
    },

    /** Posterior mean and variance of x given x + N(0, error), under a spike-and-slab prior; the variance is averaged over entries that share a prior. */
    shrink(
      seen: Value,
      error: Value,
      activity: Value | undefined,
    ): { mean: Value; posterior: Value } {
      const seenError = mul(error, exp(trust));
      const slabVariance = activity ? exp(add(slab, activity)) : exp(slab);
      const sum = add(seenError, slabVariance);
      const weight = div(slabVariance, sum);
      const rest = div(seenError, sum);
      const evidence = add(
        mul(square(seen), div(mul(weight, 0.5), seenError)),
        add(mul(log(rest), 0.5), odds),
      );
      const active = sigmoid(evidence);
      const ifActive = mul(seen, weight);
      const mean = mul(active, ifActive);
      // E x² − (E x)², entry by entry: active (ifActive² + v) − mean², with v the variance of an entry that is not zero.
      const spread = add(mul(mean, sub(ifActive, mean)), mul(active, mul(slabVariance, rest)));
      return { mean, posterior: entries > 1 ? spread : reduceMean(spread, [1], true) };
    },
  };
}

/** A perceptron on the expected error, the noise and the size of the estimate. */
function definePolicy(
  parameters: Parameters,
  { policyFeatures: features }: Constants,
  t: number,
  hidden: number,
): (read: Values) => Value {
  const w1 = parameters.define(`policy-${t}-w1`, [4, hidden], normal(4 * hidden, 0.4), 'policy');
  const b1 = parameters.define(`policy-${t}-b1`, [hidden], constant(hidden, 0), 'policy');
  const w2 = parameters.define(
    `policy-${t}-w2`,
    [hidden, 1],
    normal(hidden, Math.sqrt(1 / hidden)),
    'policy',
  );
  const b2 = parameters.define(`policy-${t}-b2`, [1], constant(1, 0), 'policy');
  return ({ signal, size, uncertainty, levels }) => {
    const logs = log(add(concat([uncertainty!, levels!, size!], 1), 1e-12));
    return reshape(linear(relu(linear(logs, matmul(features, w1), b1)), w2, b2), [
      signal!.shape[0]!,
    ]);
  };
}
