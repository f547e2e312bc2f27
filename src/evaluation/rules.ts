/** Rules as data, and the few that the selection part puts forward for certification. */
import type { Criterion, Outcome, TracedRequest } from './regret.ts';

/** A rule stops each request at one exit; exits are counted from 0. */
export type Rule = { readonly name: string } & (
  | { readonly kind: 'threshold'; readonly threshold: number }
  | { readonly kind: 'fixed'; readonly exit: number }
  /** The first exit where the statistic is below a level, else a later one. */
  | { readonly kind: 'gate'; readonly below: number; readonly exit: number }
  /** `exits[i]` where i of the ascending `levels` are at most the statistic. */
  | {
      readonly kind: 'lookup';
      readonly levels: readonly number[];
      readonly exits: readonly number[];
    }
);

/** Stops at the first exit where π exceeds `threshold`, else at the last. */
export const thresholdRule = (threshold: number): Rule => ({
  name: `threshold ${threshold}`,
  kind: 'threshold',
  threshold,
});

/** Stops every request at the same exit, counted from 0. */
export const fixedRule = (exit: number): Rule => ({ name: `exit ${exit}`, kind: 'fixed', exit });

/** Stops at the first exit where the input statistic is less than `below`, else at `exit`. */
export const gateRule = (below: number, exit: number): Rule => ({
  name: `exit 0 below ${below}, else exit ${exit}`,
  kind: 'gate',
  below,
  exit,
});

/** Looks the exit up from the input statistic. @param levels ascending, one fewer than `exits` */
export const lookupRule = (levels: readonly number[], exits: readonly number[]): Rule => ({
  name: `exits ${exits.join(', ')} from ${levels.join(', ')} on`,
  kind: 'lookup',
  levels,
  exits,
});

/** The exit at which a request leaves. @throws Error where the rule needs a statistic that the request lacks */
export function exitOf(rule: Rule, request: TracedRequest): number {
  switch (rule.kind) {
    case 'threshold': {
      const at = request.pi.findIndex((pi) => pi > rule.threshold);
      return at < 0 ? request.quality.length - 1 : at;
    }
    case 'fixed':
      return rule.exit;
    case 'gate':
      return statisticOf(request) < rule.below ? 0 : rule.exit;
    case 'lookup': {
      const statistic = statisticOf(request);
      const at = rule.levels.findIndex((level) => statistic < level);
      return rule.exits.at(at < 0 ? -1 : at)!;
    }
  }
}

function statisticOf({ source, statistic }: TracedRequest): number {
  if (statistic === undefined) throw new Error(`the input statistic is missing: ${source}`);
  return statistic;
}

/** What a rule gives a request. Images whose tiles leave at different exits need their own; see {@link exitOutcome}. */
export type OutcomeOf<R extends TracedRequest> = (request: R, rule: Rule) => Outcome;

/** The outcome of a request that leaves whole at one exit. @param depths layers up to every exit */
export const exitOutcome =
  (depths: readonly number[]): OutcomeOf<TracedRequest> =>
  (request, rule) => {
    const exit = exitOf(rule, request);
    return { quality: request.quality[exit]!, ms: request.ms[exit]!, depth: depths[exit]! };
  };

/** The most rules that one certification may test. */
export const MAX_RULES = 20;

/** A rule with its mean loss (0..1) and mean time (ms) on the selection part. */
export interface Scored {
  readonly rule: Rule;
  /** Mean over the selection part. */
  readonly loss: number;
  readonly ms: number;
}

/**
 * At most 20 rules, the safest first and of equal loss the slowest first: none that a safer one beats in time, none that
 * misses the limit on selection (the safest excepted), spread evenly along time and loss.
 */
export function chooseRules<R extends TracedRequest>(
  pool: readonly Rule[],
  selection: readonly R[],
  criterion: Criterion,
  outcomeOf: OutcomeOf<R>,
): Scored[] {
  const scored = pool
    .map((rule) => score(rule, selection, criterion, outcomeOf))
    .sort((a, b) => a.loss - b.loss || b.ms - a.ms);
  const front: Scored[] = [];
  for (const candidate of scored) {
    const last = front.at(-1);
    // Slower rules of equal loss stay: a loss of 0 on selection is no proof, and a sequence that starts too fast ends at once.
    if (!last || candidate.loss === last.loss || candidate.ms < last.ms) front.push(candidate);
  }
  const within = front.filter(({ loss }) => loss <= criterion.limit);
  return within.length > 0 ? spread(within, MAX_RULES) : front.slice(0, 1);
}

function score<R extends TracedRequest>(
  rule: Rule,
  requests: readonly R[],
  criterion: Criterion,
  outcomeOf: OutcomeOf<R>,
): Scored {
  let loss = 0;
  let ms = 0;
  for (const request of requests) {
    const outcome = outcomeOf(request, rule);
    loss += criterion.loss(request, outcome.quality);
    ms += outcome.ms;
  }
  return { rule, loss: loss / requests.length, ms: ms / requests.length };
}

/** Thins the front to `count` points: keeps both ends, and repeatedly drops the point with the closest neighbours (time and loss scaled to their ranges). */
function spread(front: readonly Scored[], count: number): Scored[] {
  const [first, last] = [front[0]!, front.at(-1)!];
  const along = ({ loss, ms }: Scored): number =>
    loss / (last.loss - first.loss || 1) - ms / (first.ms - last.ms || 1);
  const kept = [...front];
  while (kept.length > count) {
    const gaps = kept.slice(2).map((after, i) => along(after) - along(kept[i]!));
    kept.splice(gaps.indexOf(Math.min(...gaps)) + 1, 1);
  }
  return kept;
}

/** How many thresholds are tried on selection; {@link chooseRules} keeps a few of them. */
const THRESHOLDS = 1_000;

/** Thresholds at the quantiles of π, rounded to six digits so that a manifest holds what was certified, and every fixed exit. */
export function policyRules(
  selection: readonly TracedRequest[],
  thresholds: readonly number[] = quantiles(
    selection.flatMap(({ pi }) => pi),
    THRESHOLDS,
  ),
): Rule[] {
  const rounded = new Set(thresholds.map((value) => Number(value.toPrecision(6))));
  return [...fixedRules(selection), ...[...rounded].map(thresholdRule)];
}

/**
 * One rule for each exit.
 * @param selection not empty; its first request gives the number of exits
 */
export const fixedRules = (selection: readonly TracedRequest[]): Rule[] =>
  selection[0]!.quality.map((_, exit) => fixedRule(exit));

/** Levels of the statistic that gates try. */
const GATE_LEVELS = 40;
/** Ranges of the statistic that lookups tell apart. */
const LOOKUP_RANGES = 12;

/** "The first exit below a level, else exit d", for every d and many levels. */
export const gateRules = (selection: readonly TracedRequest[]): Rule[] =>
  quantiles(selection.map(statisticOf), GATE_LEVELS).flatMap((level) =>
    selection[0]!.quality.slice(1).map((_, i) => gateRule(level, i + 1)),
  );

/**
 * Exits looked up from the statistic alone: in each of a few ranges with equally many requests the exit of least
 * time + price · loss, for many prices.
 */
export function lookupRules<R extends TracedRequest>(
  selection: readonly R[],
  criterion: Criterion,
  outcomeOf: OutcomeOf<R>,
): Rule[] {
  const statistics = selection.map(statisticOf);
  const least = statistics.reduce((a, b) => Math.min(a, b));
  const levels = quantiles(statistics, LOOKUP_RANGES).filter((level) => level > least);
  const fixed = fixedRules(selection);
  const ranges = [...levels, Number.POSITIVE_INFINITY].map((to, i) => {
    const from = levels[i - 1] ?? Number.NEGATIVE_INFINITY;
    const members = selection.filter((request) => {
      const statistic = statisticOf(request);
      return statistic >= from && statistic < to;
    });
    return fixed.map((rule) => score(rule, members, criterion, outcomeOf));
  });
  const longest = Math.max(...ranges.flat().map(({ ms }) => ms));
  const rules = Array.from({ length: 81 }, (_, k) => longest * 10 ** (k / 10 - 3)).map((price) =>
    lookupRule(
      levels,
      ranges.map((exits) => cheapest(exits, price)),
    ),
  );
  return [...new Map(rules.map((rule) => [rule.name, rule])).values()];
}

function cheapest(exits: readonly Scored[], price: number): number {
  const costs = exits.map(({ ms, loss }) => ms + price * loss);
  return costs.indexOf(Math.min(...costs));
}

/** The values at `count` even ranks from the least on, each once. */
function quantiles(values: readonly number[], count: number): number[] {
  const sorted = Float64Array.from(values).sort();
  const ranks = Array.from({ length: count }, (_, k) => Math.floor((k * sorted.length) / count));
  return [...new Set(sorted.length > 0 ? ranks.map((rank) => sorted[rank]!) : [])];
}
