/** Adaptivity gain: the time of the best rule without a policy over that of the policy, both holding the same certificate. */
import {
  certifyRules,
  criterionFor,
  type Certificate,
  type CertifyOptions,
  type Parts,
} from './certify.ts';
import { harmShare, type Criterion, type Outcome, type TracedRequest } from './regret.ts';
import {
  exitOutcome,
  fixedRules,
  gateRules,
  lookupRules,
  policyRules,
  type OutcomeOf,
  type Rule,
} from './rules.ts';
import { checkDisjoint, unitsOf } from './units.ts';

/** A rule on the test part. */
export interface Measured {
  readonly rule: Rule;
  /** Lower 95 % confidence bound from the certification part. */
  readonly bound: number;
  readonly figures: Figures;
}

/** Share within the tolerance, mean time (ms) and mean depth (layers) of a rule on the test part. */
export interface Figures {
  /** As in the calibration table, but measured on test. */
  readonly share: number;
  readonly ms: number;
  readonly meanDepth: number;
  /** Share of requests worse than their input by more than 0.05 dB, where the inputs' quality is known. */
  readonly harm?: number;
}

/** A ratio of mean times with its 95 % interval. */
export interface Ratio {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Times of policy, reference, lookup and oracle at one tolerance, and their ratios. */
export interface AdaptivityGain {
  /** dB, or points of accuracy. */
  readonly tolerance: number;
  /** The cheapest certified fixed depth, else the cheapest certified gate; null if none is safe. */
  readonly reference: Measured | null;
  /** The greatest share on certification among fixed depths and gates, where none is safe. */
  readonly bestShare?: number;
  readonly policy: Measured | null;
  /** The depth looked up from the input statistic alone. */
  readonly lookup: Measured | null;
  /** Every request at its cheapest exit that is good enough. */
  readonly oracle: Figures;
  /** T_reference / T_policy. */
  readonly gain: Ratio | null;
  /** T_lookup / T_policy: where the interval contains 1 the policy has learnt no more than the statistic says. */
  readonly overLookup: Ratio | null;
  /** T_reference / T_oracle. */
  readonly oracleGain: Ratio | null;
}

/**
 * @param parts disjoint by source; `ms` of a request is the median of at least five repeats
 * @throws Error where parts share a source or one is empty
 */
export function adaptivityGain<R extends TracedRequest>(
  parts: Parts<R> & { readonly test: readonly R[] },
  tolerance: number,
  options: CertifyOptions<R> & { readonly thresholds?: readonly number[] },
): AdaptivityGain {
  checkDisjoint({
    selection: parts.selection,
    certification: parts.certification,
    test: parts.test,
  });
  const { selection, test } = parts;
  const outcomeOf: OutcomeOf<R> = options.outcomeOf ?? exitOutcome(options.depths);
  const criterion = criterionFor(tolerance, selection, options.metric);
  const hasStatistic = selection.every(({ statistic }) => statistic !== undefined);
  const certified = (pool: readonly Rule[]): Certificate =>
    certifyRules(pool, parts, criterion, options);
  const measure = ({ rule, row }: Certificate): Run | null => {
    if (!rule) return null;
    const outcomes = test.map((request) => outcomeOf(request, rule));
    const figures = figuresOf(test, outcomes, criterion, options);
    return { measured: { rule, bound: row.bound, figures }, outcomes };
  };

  const plain = [certified(fixedRules(selection))];
  if (!plain[0]!.rule && hasStatistic) plain.push(certified(gateRules(selection)));
  const reference = measure(plain.at(-1)!);
  const policy = measure(certified(policyRules(selection, options.thresholds)));
  const lookup = hasStatistic
    ? measure(certified(lookupRules(selection, criterion, outcomeOf)))
    : null;
  const oracle = test.map((request) => oracleOutcome(request, criterion, options.depths));
  const ratio = (over: Run | null, under: Run | null): Ratio | null =>
    over && under && timeRatio(test, over.outcomes, under.outcomes);
  return {
    tolerance,
    reference: reference?.measured ?? null,
    ...(!reference && { bestShare: Math.max(...plain.map(({ row }) => row.share)) }),
    policy: policy?.measured ?? null,
    lookup: lookup?.measured ?? null,
    oracle: figuresOf(test, oracle, criterion, options),
    gain: ratio(reference, policy),
    overLookup: ratio(lookup, policy),
    oracleGain: reference && timeRatio(test, reference.outcomes, oracle),
  };
}

interface Run {
  readonly measured: Measured;
  readonly outcomes: readonly Outcome[];
}

function figuresOf(
  requests: readonly TracedRequest[],
  outcomes: readonly Outcome[],
  criterion: Criterion,
  { metric }: Pick<CertifyOptions<TracedRequest>, 'metric'>,
): Figures {
  const mean = (value: (outcome: Outcome, i: number) => number): number =>
    outcomes.reduce((sum, outcome, i) => sum + value(outcome, i), 0) / outcomes.length;
  return {
    share: criterion.figure(mean(({ quality }, i) => criterion.loss(requests[i]!, quality))),
    ms: mean(({ ms }) => ms),
    meanDepth: mean(({ depth }) => depth),
    ...(requests.every(({ input }) => input !== undefined) && {
      harm: harmShare(requests, outcomes, metric),
    }),
  };
}

/** The cheapest exit that is good enough; where none is, the one of least loss. */
function oracleOutcome(
  request: TracedRequest,
  criterion: Criterion,
  depths: readonly number[],
): Outcome {
  const exits = request.quality.map((quality, exit) => ({
    quality,
    ms: request.ms[exit]!,
    depth: depths[exit]!,
  }));
  const good = exits.filter(({ quality }) => criterion.accepts(request, quality));
  if (good.length > 0) return good.reduce((a, b) => (b.ms < a.ms ? b : a));
  const loss = ({ quality }: Outcome): number => criterion.loss(request, quality);
  return exits.reduce((a, b) => (loss(b) < loss(a) ? b : a));
}

/** Paired by request; the interval by linearisation over independent units. */
export function timeRatio(
  requests: readonly TracedRequest[],
  over: readonly Outcome[],
  under: readonly Outcome[],
): Ratio {
  const units = unitsOf(requests);
  const sum = (outcomes: readonly Outcome[]): number =>
    outcomes.reduce((total, { ms }) => total + ms, 0);
  const value = sum(over) / sum(under);
  const residuals = new Float64Array(units.count);
  over.forEach(({ ms }, i) => {
    residuals[units.of[i]!]! += ms - value * under[i]!.ms;
  });
  const squares = residuals.reduce((total, residual) => total + residual ** 2, 0);
  const spread = Math.sqrt((squares * units.count) / (units.count - 1)) / sum(under);
  return { value, low: value - 1.96 * spread, high: value + 1.96 * spread };
}
