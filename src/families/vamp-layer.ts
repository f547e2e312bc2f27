/** One layer of unfolded VAMP: the levels that it works with, and the posterior mean under its prior. */
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
  reduceMean,
  relu,
  sigmoid,
  slice,
  sub,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { constant, normal, type Parameters } from './family.ts';
import { BANDS, type Constants } from './vamp-constants.ts';

/** Added to variances, relative to the mean square of the measurements. */
export const TINY = 1e-12;

/** The largest variance: that of a normalised signal is about one, and small matrices must not let it grow without bound. */
const LARGEST = 100;

/** Mean over entries: [N,1] or [N,n] → [N,1]. */
export const overEntries = (values: Value): Value =>
  values.shape[1] === 1 ? values : reduceMean(values, [1], true);

interface Levels {
  /** Variances of the prediction's error and of the noise, [N,1] each. */
  readonly levels: Record<'variance' | 'noise', Value>;
  /** Log variance that the shrinkage adds to the variance of its input error, [N,1]. */
  readonly trust: Value;
  /** Log odds of an entry that is not zero and log variance of one, [N,1] or [N,n]. */
  readonly odds: Value;
  readonly slab: Value;
}

interface Shrunk {
  readonly mean: Value;
  /** Variance of the signal given what is seen, averaged over entries that share a prior. */
  readonly posterior: Value;
  /** The odds and the variance of entries that are not zero, as expectation maximisation estimates them, [N,1] each. */
  readonly odds: Value;
  readonly slab: Value;
}

/** What the network of a layer corrects: variance, noise, trust, odds, slab. */
const CORRECTIONS = 5;

/** @param entries number of priors: 1 for all entries, or n */
export function defineLayer(
  parameters: Parameters,
  { bands, features }: Constants,
  t: number,
  hidden: number,
  entries: number,
) {
  const name = (part: string): string => `layer-${t}-${part}`;
  const inputs = BANDS + 4;
  const define = (part: string, shape: readonly number[], deviation: number): Value => {
    const length = shape.reduce((a, b) => a * b);
    const initial = deviation > 0 ? normal(length, deviation) : constant(length, 0);
    return parameters.define(name(part), shape, initial);
  };
  const w1 = define('levels-w1', [inputs, hidden], 0.3);
  const b1 = define('levels-b1', [hidden], 0);
  const w2 = define('levels-w2', [hidden, CORRECTIONS], 0);
  const b2 = define('levels-b2', [CORRECTIONS], 0);
  // Entries that are scaled have priors of their own: half of them are not zero, so that the mean square is one.
  const own = entries > 1 && {
    odds: define('log-odds', [entries], 0),
    slab: parameters.define(name('log-slab'), [entries], constant(entries, Math.LN2)),
  };

  return {
    /** Corrects the expected levels from the residual's power over the spectrum. @param before the levels, [N,4] */
    levels(residual: Value, before: (squares: Value) => Value): Levels {
      const squares = square(residual);
      const expected = before(squares);
      const logs = log(concat([add(matmul(squares, bands), TINY), expected], 1));
      const found = clip(linear(relu(linear(logs, matmul(features, w1), b1)), w2, b2), -8, 8);
      const corrected = add(mul(slice(expected, 1, 0, 2), exp(slice(found, 1, 0, 2))), TINY);
      const variances = clip(corrected, TINY, LARGEST);
      const part = (of: Value, at: number): Value => slice(of, 1, at, at + 1);
      return {
        levels: { variance: part(variances, 0), noise: part(variances, 1) },
        trust: part(found, 2),
        odds: add(own ? own.odds : part(logs, BANDS + 2), part(found, 3)),
        slab: add(own ? own.slab : part(logs, BANDS + 3), part(found, 4)),
      };
    },

    /** Posterior mean and variance of x given x + N(0, error), under a spike-and-slab prior. */
    shrink(seen: Value, error: Value, prior: Omit<Levels, 'levels'>): Shrunk {
      const seenError = mul(error, exp(prior.trust));
      const slabVariance = exp(prior.slab);
      const sum = add(seenError, slabVariance);
      const weight = div(slabVariance, sum);
      const rest = div(seenError, sum);
      const evidence = add(
        mul(square(seen), div(mul(weight, 0.5), seenError)),
        add(mul(log(rest), 0.5), prior.odds),
      );
      const active = sigmoid(evidence);
      const ifActive = mul(seen, weight);
      const mean = mul(active, ifActive);
      // E x² − (E x)², entry by entry: active (ifActive² + v) − mean², with v the variance of an entry that is not zero.
      const within = mul(slabVariance, rest);
      const share = clip(reduceMean(active, [1], true), 1e-9, 0.999);
      const between = mul(mean, sub(ifActive, mean));
      const strength = reduceMean(mul(mean, ifActive), [1], true);
      return {
        mean,
        posterior:
          entries > 1
            ? add(between, mul(active, within))
            : add(reduceMean(between, [1], true), mul(share, within)),
        odds: div(share, sub(1, share)),
        slab: add(div(strength, share), add(overEntries(within), TINY)),
      };
    },
  };
}
