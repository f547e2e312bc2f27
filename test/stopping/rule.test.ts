import { describe, expect, it } from 'vitest';
import { oracle, stopTime } from '../../scripts/paper/distribution.ts';
import type { Stoppable, StoppingParameters } from '../../src/stopping/parameters.ts';
import {
  certifiedAt,
  isGuaranteed,
  resolveStopping,
  stopRule,
  stops,
} from '../../src/stopping/rule.ts';

const model = { depth: 12, exits: [4, 6, 8, 12], threshold: 0.4 };
const resolve = (parameters: StoppingParameters) => resolveStopping(parameters, model, () => 77);
/** The exit, from 0, and the reason, for π at the exits in order. */
function walk(
  parameters: StoppingParameters,
  pi: readonly number[],
  cap?: number,
): [number, string] {
  const rule = stopRule(resolve(parameters), model, 0);
  for (let at = 0; at < model.exits.length; at++) {
    const reason = stops(rule, at, pi[at], cap);
    if (reason) return [at, reason];
  }
  throw new Error('it never stopped');
}

describe('the stop rule', () => {
  it('stops where π passes the threshold, strictly, and at the end in any case', () => {
    expect(walk({}, [0.4, 0.41])).toEqual([1, 'policy']);
    expect(walk({ threshold: 0.9 }, [0.9, 0.9, 0.9])).toEqual([3, 'max_depth']);
    expect(walk({ threshold: 0 }, [0.001])).toEqual([0, 'policy']);
  });

  it('compares the confidence where the rule says so and the model gives it, with a threshold of its own', () => {
    const certain = { ...model, policies: ['pi', 'confidence'], thresholds: { confidence: 0.8 } };
    const of = (parameters: StoppingParameters) =>
      stopRule(
        resolveStopping(parameters, certain, () => 1),
        certain,
        0,
      );
    expect(of({ rule: 'confidence' })).toMatchObject({
      signal: 'confidence',
      thresholds: [0.8, 0.8, 0.8, 0.8],
    });
    expect(of({ rule: 'confidence', threshold: 0.7, minDepth: 6 }).thresholds).toEqual([
      Infinity,
      0.7,
      0.7,
      0.7,
    ]);
    expect(of({})).toMatchObject({ signal: 'pi', thresholds: [0.4, 0.4, 0.4, 0.4] });
    expect(() => resolve({ rule: 'confidence' })).toThrow(/a model that outputs its confidence/);
  });

  it('keeps within min_depth and max_depth, also where they are no exits', () => {
    expect(walk({ minDepth: 5 }, [1, 1])).toEqual([1, 'policy']);
    expect(walk({ maxDepth: 7 }, [0, 0])).toEqual([1, 'max_depth']);
    expect(walk({ minDepth: 12 }, [1, 1, 1])).toEqual([3, 'max_depth']);
  });

  it('stops at the fixed depth whatever π says', () => {
    expect(walk({ rule: 'fixed', depth: 8 }, [1, 1, 0])).toEqual([2, 'fixed']);
    expect(walk({ depth: 6 }, [1, 1])).toEqual([1, 'fixed']);
  });

  it('lets a loaded service end it early, also before min_depth and a fixed depth', () => {
    expect(walk({}, [0, 0], 0)).toEqual([0, 'load']);
    expect(walk({ minDepth: 6 }, [0, 0], 0)).toEqual([0, 'load']);
    expect(walk({ rule: 'fixed', depth: 12 }, [0, 0], 1)).toEqual([1, 'load']);
  });

  it('draws thresholds that depend on seed and index alone', () => {
    const thresholds = (seed: number, index: number) =>
      stopRule(resolve({ rule: 'sample', seed }), model, index).thresholds;
    expect(thresholds(5, 3)).toEqual(thresholds(5, 3));
    expect(thresholds(5, 3)).not.toEqual(thresholds(5, 4));
    expect(thresholds(5, 3)).not.toEqual(thresholds(6, 3));
    expect(resolve({ rule: 'sample' }).seed).toBe(77);
  });

  it('draws thresholds that are uniform and not alike from seed to seed and sample to sample', () => {
    const draws = Array.from({ length: 60 }, (_, seed) =>
      Array.from(
        { length: 60 },
        (__, index) => stopRule(resolve({ rule: 'sample', seed }), model, index).thresholds[0]!,
      ),
    );
    const all = draws.flat();
    const mean = all.reduce((a, b) => a + b, 0) / all.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / all.length));
    expect(new Set(all).size).toBe(all.length);
    // Neighbouring seeds, and neighbouring samples: correlations as small as chance allows.
    const correlation = (pairs: readonly (readonly [number, number])[]): number =>
      (12 * pairs.reduce((sum, [a, b]) => sum + (a - 0.5) * (b - 0.5), 0)) / pairs.length;
    const acrossSeeds = draws
      .slice(1)
      .flatMap((row, s) => row.map((value, i) => [value, draws[s]![i]!] as const));
    const acrossSamples = draws.flatMap((row) =>
      row.slice(1).map((value, i) => [value, row[i]!] as const),
    );
    for (const pairs of [acrossSeeds, acrossSamples])
      expect(Math.abs(correlation(pairs))).toBeLessThan(4 / Math.sqrt(pairs.length));
  });

  it.each<[StoppingParameters, RegExp]>([
    [{ rule: 'fixed' }, /requires depth.*4, 6, 8, 12/],
    [{ rule: 'fixed', depth: 5 }, /5 is not an exit.*4, 6, 8, 12/],
    [{ rule: 'fixed', depth: 4, maxDepth: 8 }, /cannot be combined/],
    [{ rule: 'threshold', depth: 4 }, /rule=fixed/],
    [{ rule: 'sample', threshold: 0.5 }, /rule=threshold/],
    [{ seed: 4 }, /rule=sample/],
    [{ minDepth: 13 }, /beyond.*12/],
    [{ maxDepth: 3 }, /first exit, 4/],
    [{ minDepth: 9, maxDepth: 11 }, /No exit lies/],
  ])('refuses %j', (parameters, says) => {
    expect(() => resolve(parameters)).toThrow(says);
  });
});

describe('the tolerance', () => {
  const row = (tolerance: number, threshold: number | null) => ({
    tolerance,
    threshold,
    guaranteed: threshold !== null,
  });
  const calibrated = {
    ...model,
    calibration: { default: 0.2, rows: [row(0.5, 0.3), row(0.1, 0.7), row(0.2, 0.5)] },
  };
  const used = (parameters: StoppingParameters, of: Stoppable = calibrated) => {
    const resolved = resolveStopping(parameters, of, () => 1);
    return { resolved, tau: stopRule(resolved, of, 0).thresholds[0], rule: resolved.rule };
  };

  it('uses the largest row that is not above it, and the strictest below the smallest', () => {
    expect(used({ tolerance: 0.2 }).tau).toBe(0.5);
    expect(used({ tolerance: 0.49 }).tau).toBe(0.5);
    expect(used({ tolerance: 3 }).tau).toBe(0.3);
    expect(used({ tolerance: 0.01 }).tau).toBe(0.7);
    expect(used({ tolerance: 0.01 }).resolved.certificate?.tolerance).toBe(0.1);
  });

  it('is the rule where the table is certified, and a bare threshold or depth is not', () => {
    expect(used({})).toMatchObject({ rule: 'tolerance', tau: 0.5 });
    expect(used({ threshold: 0.9 })).toMatchObject({ rule: 'threshold', tau: 0.9 });
    expect(used({ depth: 8 }).rule).toBe('fixed');
    const failed = { ...model, calibration: { default: 0.2, rows: [row(0.2, null)] } };
    expect(used({}, failed)).toMatchObject({ rule: 'threshold', tau: 0.4 });
    expect(used({ tolerance: 0.2 }, failed).tau).toBe(Infinity);
  });

  it('may be a fixed depth, within min_depth and max_depth', () => {
    const fixed = {
      ...model,
      calibration: { default: 0.2, rows: [{ ...row(0.2, null), depth: 6, guaranteed: true }] },
    };
    expect(stopRule(used({}, fixed).resolved, fixed, 0)).toMatchObject({
      last: 1,
      lastReason: 'fixed',
      shedFrom: 0,
    });
    expect(stopRule(used({ minDepth: 8 }, fixed).resolved, fixed, 0).last).toBe(3);
  });

  it('keeps its promise unless depth bounds, a deadline or load interfered', () => {
    const { resolved } = used({});
    expect(isGuaranteed(resolved, ['policy', 'max_depth'])).toBe(true);
    expect(isGuaranteed(resolved, ['policy', 'load'])).toBe(false);
    expect(isGuaranteed(resolved, ['deadline'])).toBe(false);
    expect(isGuaranteed(used({ maxDepth: 8 }).resolved, ['policy'])).toBe(false);
    expect(isGuaranteed(used({ threshold: 0.5 }).resolved, ['policy'])).toBe(false);
  });

  it('is refused with other rules, and without a table', () => {
    expect(() => used({ tolerance: 0.1, rule: 'sample' })).toThrow(
      /tolerance requires rule=tolerance, but the rule is sample/,
    );
    expect(() => resolve({ tolerance: 0.1 })).toThrow(
      expect.objectContaining({ code: 'not-calibrated' }) as Error,
    );
  });
});

describe('exit 0', () => {
  const zero = { ...model, exits: [0, 4, 8, 12], depth: 12 };
  const rule = (parameters: StoppingParameters) =>
    stopRule(
      resolveStopping(parameters, zero, () => 1),
      zero,
      0,
    );

  it('is reached by π, by a fixed depth and by max_depth, but never by load', () => {
    expect(stops(rule({}), 0, 0.5)).toBe('policy');
    expect(stops(rule({ depth: 0 }), 0, undefined)).toBe('fixed');
    expect(stops(rule({ maxDepth: 0 }), 0, undefined)).toBe('max_depth');
    expect(stops(rule({}), 0, 0, 0)).toBeUndefined();
    expect(stops(rule({}), 1, 0, 0)).toBe('load');
    expect(rule({ minDepth: 1 }).thresholds[0]).toBe(Infinity);
  });

  it('does not stop a sample whose π was not computed', () => {
    expect(stops(rule({ threshold: 0 }), 0, undefined)).toBeUndefined();
  });
});

describe('stop-time distributions', () => {
  it('follow the policy: q(t) = π_t ∏ (1 − π_s), and sum to one', () => {
    expect(stopTime([0.5, 0.25]).map((q) => Number(q.toFixed(6)))).toEqual([0.5, 0.125, 0.375]);
    expect(stopTime([])).toEqual([1]);
    expect(stopTime([1, 0.3])).toEqual([1, 0, 0]);
  });

  it('of the oracle: the posterior at β = 1, the best exit as β falls, earlier as compute costs more', () => {
    const losses = [3, 1, 0.9];
    const sum = losses.reduce((total, loss) => total + Math.exp(-loss), 0);
    oracle(losses).forEach((q, t) => expect(q).toBeCloseTo(Math.exp(-losses[t]!) / sum, 12));
    expect(oracle(losses, { beta: 1e-3 })[2]).toBeCloseTo(1, 6);
    expect(oracle(losses, { beta: 1e-3, lambda: 1000, costs: [0.25, 0.5, 1] })[1]).toBeCloseTo(
      1,
      6,
    );
    expect(oracle([1e4, 1e4 + 1]).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });
});

describe('the tolerance that an exit keeps', () => {
  const row = (tolerance: number, threshold: number | null, depth?: number) => ({
    tolerance,
    threshold,
    ...(depth !== undefined && { depth }),
    guaranteed: threshold !== null || depth !== undefined,
  });
  const table = (...rows: ReturnType<typeof row>[]) => ({
    ...model,
    calibration: { default: 0.2, rows },
  });
  const certain = table(row(0.1, null), row(0.2, 0.9), row(0.5, 0.3));

  it('is the smallest whose rule stops there', () => {
    expect(certifiedAt(certain, [0.4], 0)).toBe(0.5);
    expect(certifiedAt(certain, [0.95], 0)).toBe(0.2);
    expect(certifiedAt(certain, [0.1, 0.2, 0.95], 2)).toBe(0.2);
    expect(certifiedAt(certain, [0.1, 0.2, 0.2], 3)).toBe(0.2);
    expect(certifiedAt(table(row(0.1, null, 6), row(0.5, 0.3)), [0, 0], 1)).toBe(0.1);
  });

  it('is none where no rule stops, or stopped before', () => {
    expect(certifiedAt(certain, [0.3], 0)).toBeUndefined();
    expect(certifiedAt(certain, [0.4, 0.5], 1)).toBeUndefined();
    expect(certifiedAt(table(row(0.1, null)), [1], 0)).toBeUndefined();
    expect(certifiedAt(model, [1], 0)).toBeUndefined();
  });

  it('is none where π is not known, but for an exit that has no π', () => {
    expect(certifiedAt(certain, [NaN], 0)).toBeUndefined();
    expect(certifiedAt(certain, [NaN, 0.95], 1)).toBeUndefined();
    expect(certifiedAt(certain, [NaN, 0.95], 1, 1)).toBe(0.2);
  });
});
