/**
 * Certified rules: which of a few rules keeps its promise on traffic like the certification part, with 95 % confidence.
 * Fixed-sequence testing as in Angelopoulos, Bates, Candès, Jordan & Lei, "Learn then Test", 2021: the order comes from
 * another part of the data, each rule is tested at the full level, and the first that does not pass ends the sequence. No
 * loss is assumed to fall with depth.
 */
import { binomialTail } from '../util/binomial.ts';
import { bettingPValue, bettingUpper, binomialUpper, LEVEL } from './bounds.ts';
import type { Metric } from './metrics.ts';
import {
  accuracyCriterion,
  regretCriterion,
  type Criterion,
  type TracedRequest,
} from './regret.ts';
import { chooseRules, exitOutcome, policyRules, type OutcomeOf, type Rule } from './rules.ts';
import { checkDisjoint, unitsOf, type UnitIndex } from './units.ts';

/** A row of the calibration table in a bundle's manifest. */
export interface CalibrationRow {
  /** dB, or points of accuracy. */
  readonly tolerance: number;
  /** Threshold on π; null where no rule passed or a fixed depth is the cheapest that did. */
  readonly threshold: number | null;
  /** That fixed depth, layers. */
  readonly depth?: number;
  /** Measured on certification: the share of requests within the tolerance, or the mean accuracy above the best single exit's, points. */
  readonly share: number;
  /** Lower 95 % confidence bound of what `share` estimates. */
  readonly bound: number;
  /** Independent units: requests, or sources where one source gave several requests. */
  readonly n: number;
  readonly mean_depth: number;
  /** Mean engine time of a request. */
  readonly ms: number;
  readonly guaranteed: boolean;
}

/** One rule on the certification part. */
export interface Tested {
  readonly rule: Rule;
  readonly pValue: number;
  readonly passed: boolean;
  readonly share: number;
  /** Lower 95 % confidence bound of what `share` estimates. */
  readonly bound: number;
  readonly ms: number;
  readonly meanDepth: number;
}

/** Outcome of the tests for one tolerance. */
export interface Certificate {
  /** Describes the rule taken; where none passed, the safest of the candidates. */
  readonly row: CalibrationRow;
  /** The cheapest rule that passed. */
  readonly rule: Rule | null;
  /** In the order of testing, up to the first that did not pass. */
  readonly tested: readonly Tested[];
}

/** Requests to choose and order rules on, and others to test them on; no source may be in both. */
export interface Parts<R extends TracedRequest> {
  readonly selection: readonly R[];
  readonly certification: readonly R[];
}

/** What the tests need to know of the task, the model and the traffic. */
export interface CertifyOptions<R extends TracedRequest> {
  /** In `points` the mean accuracy is promised, in dB the share of requests with a small regret. */
  readonly metric: Pick<Metric, 'unit' | 'loss' | 'tolerances'>;
  /** Layers up to every exit. */
  readonly depths: readonly number[];
  /** Where requests do not leave whole at one exit: images whose tiles stop at different depths. */
  readonly outcomeOf?: OutcomeOf<R>;
  /** Fewest independent units of a regression task; below, nothing is guaranteed. */
  readonly minUnits?: number;
}

/** Fewest requests where all are independent, and fewest sources where some gave several. */
const MIN_REQUESTS = 2_000;
const MIN_SOURCES = 100;

/**
 * One certificate for every tolerance; each holds with 95 % confidence by itself.
 * @param options.thresholds candidates, where they are not to be quantiles of the requests' π
 * @throws Error where the parts share a source or one is empty
 */
export function certify<R extends TracedRequest>(
  selection: readonly R[],
  certification: readonly R[],
  options: CertifyOptions<R> & {
    readonly tolerances?: readonly number[];
    readonly thresholds?: readonly number[];
  },
): Certificate[] {
  const pool = policyRules(selection, options.thresholds);
  return (options.tolerances ?? options.metric.tolerances).map((tolerance) =>
    certifyRules(
      pool,
      { selection, certification },
      criterionFor(tolerance, selection, options.metric),
      options,
    ),
  );
}

/** The promise of a tolerance: on mean accuracy for a metric in points, else on the share of small regrets. */
export const criterionFor = (
  tolerance: number,
  selection: readonly TracedRequest[],
  metric: Pick<Metric, 'unit' | 'loss'>,
): Criterion =>
  metric.unit === 'points'
    ? accuracyCriterion(tolerance, selection)
    : regretCriterion(tolerance, metric);

/**
 * The cheapest of the rules that keeps the criterion on certification with 95 % confidence.
 * @throws Error where the parts share a source or one is empty
 */
export function certifyRules<R extends TracedRequest>(
  pool: readonly Rule[],
  { selection, certification }: Parts<R>,
  criterion: Criterion,
  options: CertifyOptions<R>,
): Certificate {
  checkDisjoint({ selection, certification });
  const { depths, outcomeOf = exitOutcome(depths) } = options;
  const units = unitsOf(certification);
  const enough = units.count >= (options.minUnits ?? fewestUnits(criterion, units));
  const chosen = chooseRules(pool, selection, criterion, outcomeOf).map(({ rule }) => rule);
  // The exit that accuracies are compared with passes in any case: first, it cannot be lost to a rule that fails.
  const variant = selection.some(({ float }) => float);
  const isReference = (rule: Rule): boolean =>
    !variant && rule.kind === 'fixed' && rule.exit === criterion.referenceExit;
  const candidates = [...pool.filter(isReference), ...chosen.filter((rule) => !isReference(rule))];
  const tested = fixedSequence(candidates, (rule) => {
    const examined = examine(rule, certification, units, criterion, outcomeOf);
    return { ...examined, passed: enough && examined.pValue <= LEVEL };
  });
  const passed = tested.filter((result) => result.passed);
  const taken = passed.length > 0 ? passed.reduce((a, b) => (b.ms < a.ms ? b : a)) : undefined;
  const shown = taken ?? tested[0]!;
  return {
    row: {
      tolerance: criterion.tolerance,
      ...(taken ? thresholdOf(taken.rule, depths) : { threshold: null }),
      share: shown.share,
      bound: shown.bound,
      n: units.count,
      mean_depth: shown.meanDepth,
      ms: shown.ms,
      guaranteed: taken !== undefined,
    },
    rule: taken?.rule ?? null,
    tested,
  };
}

/** Tests in the given order up to and including the first that does not pass; the chance that any false one passes is the level of one test. */
export function fixedSequence<T, R extends { readonly passed: boolean }>(
  ordered: readonly T[],
  test: (item: T) => R,
): R[] {
  const results: R[] = [];
  for (const item of ordered) {
    const result = test(item);
    results.push(result);
    if (!result.passed) break;
  }
  return results;
}

function examine<R extends TracedRequest>(
  rule: Rule,
  requests: readonly R[],
  units: UnitIndex,
  criterion: Criterion,
  outcomeOf: OutcomeOf<R>,
): Omit<Tested, 'passed'> {
  const lost = new Float64Array(units.count);
  let [total, ms, depth] = [0, 0, 0];
  requests.forEach((request, i) => {
    const outcome = outcomeOf(request, rule);
    const loss = criterion.loss(request, outcome.quality);
    lost[units.of[i]!]! += loss / units.largest;
    total += loss;
    ms += outcome.ms;
    depth += outcome.depth;
  });
  const n = requests.length;
  const { pValue, upper } = boundsOf(rule, requests, units, criterion, lost);
  return {
    rule,
    pValue,
    share: criterion.figure(total / n),
    bound: criterion.figure(upper),
    ms: ms / n,
    meanDepth: depth / n,
  };
}

/** @param lost of every unit, as a share of the largest unit's requests */
function boundsOf(
  rule: Rule,
  requests: readonly TracedRequest[],
  { largest, weight }: UnitIndex,
  { limit, binary, referenceExit }: Criterion,
  lost: Float64Array,
): { pValue: number; upper: number } {
  // The exit that accuracies are compared with is level with itself on any traffic.
  if (rule.kind === 'fixed' && rule.exit === referenceExit && !requests.some(({ float }) => float))
    return { pValue: 0, upper: 0.5 };
  if (binary && largest === 1) {
    const failures = lost.reduce((a, b) => a + b, 0);
    return {
      pValue: binomialTail(failures, lost.length, limit),
      upper: binomialUpper(failures, lost.length),
    };
  }
  const units = { lost, weight };
  return { pValue: bettingPValue(units, limit), upper: bettingUpper(units) };
}

/** The bound of a mean difference of accuracies holds for any number. */
function fewestUnits({ binary }: Criterion, { largest }: UnitIndex): number {
  if (!binary) return 1;
  return largest === 1 ? MIN_REQUESTS : MIN_SOURCES;
}

/** π lies between 0 and 1, so that the first exit and the last are thresholds as well. */
function thresholdOf(
  rule: Rule,
  depths: readonly number[],
): Pick<CalibrationRow, 'threshold' | 'depth'> {
  if (rule.kind === 'threshold') return { threshold: rule.threshold };
  if (rule.kind !== 'fixed') return { threshold: null };
  if (rule.exit === 0) return { threshold: 0 };
  if (rule.exit === depths.length - 1) return { threshold: 1 };
  return { threshold: null, depth: depths[rule.exit]! };
}
