/**
 * Unfolded vector approximate message passing (Rangan, Schniter & Fletcher 2017; Borgerding, Schniter & Rangan 2017):
 * measurements [N,m] → signal [N,n]. A layer is a linear estimate of the signal from the residual, followed by the
 * posterior mean under a sparse prior, each corrected so that the other sees its error as fresh noise. Prior, noise level
 * and error levels are not told but learnt: a few numbers a layer, so that a model for a new matrix is trained in minutes.
 *
 * Where the entries of the signals are known to differ in size, as the coefficients of images do, the signal is counted in
 * units of those sizes, so that the linear estimate knows them; every entry has a prior, an error and a correction of its
 * own, and the prior's variance follows the sample (textured or flat), as in a Gaussian scale mixture.
 *
 * A layer's two products are small, so for a request alone every operator counts: sums over the spectrum are products with
 * constants, logarithms are taken of all levels at once, and what is linear in them is folded into the weights.
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

export interface VampConfig {
  readonly matrix: Matrix;
  readonly depth: number;
  /** Width of the hidden layers of the level estimator and of the policy. */
  readonly hidden: number;
  /** The root mean square of each entry of the signals [n], where they differ. */
  readonly scales?: Float32Array | undefined;
}

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
      // ⟨η′⟩ of the posterior mean is its posterior variance over the variance of the error it saw.
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

/** Before the first layer all that is seen counts as signal, a thousandth of it as noise: [N,2]. */
function firstLevels(squares: Value, power: number): Value {
  const total = add(reduceMean(squares, [1], true), TINY);
  return concat([mul(total, 1 / power), mul(total, 1e-3)], 1);
}

/** Of what is one number a sample already, [N,1], or one an entry, [N,n]: [N,1]. */
const overEntries = (values: Value): Value =>
  values.shape[1] === 1 ? values : reduceMean(values, [1], true);

/** The linear minimum-mean-square-error step, scaled to be unbiased, and its error's variance: of all entries, or of each. */
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
  /** The logarithm of the signal's variance in units of the usual, [N,1]; where entries are scaled. */
  readonly activity?: Value;
}

/** @param entries how many priors there are: one for all, or n */
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
  // A tenth of the entries, of variance one; where entries are scaled half of them, so that the mean square is one.
  const odds = number('log-odds', entries > 1 ? 0 : -2.2);
  const slab = number('log-slab', entries > 1 ? Math.LN2 : 0);
  const trust = number('log-trust', 0);

  return {
    /** Corrects the expected levels of error and noise by what the residual's power over the spectrum says of them. */
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

    /** Mean and posterior variance (averaged over the entries, where they are alike) of x given x + N(0, error), for x zero or from a normal slab. */
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

/** A perceptron on what the layer knows of itself: expected error, noise and the size of the estimate. */
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
