/** The calibration table of a bundle, and what is printed beside it. */
import type { Calibration, Manifest } from '../bundle/manifest.ts';
import { certify, criterionFor, type Certificate } from './certify.ts';
import { adaptivityGain, type AdaptivityGain } from './gain.ts';
import type { Metric } from './metrics.ts';
import { prunableExits, type ExitUse } from './pruning.ts';
import { harmShare, type Outcome } from './regret.ts';
import { exitOf, exitOutcome, fixedRule, type Rule } from './rules.ts';
import type { TracedKind } from './trace-traffic.ts';

/** Requests at every exit: to choose rules on, to certify them on and, where there is data, to report on. */
export interface TracedParts {
  readonly selection: readonly TracedKind[];
  readonly certification: readonly TracedKind[];
  readonly test?: readonly TracedKind[];
}

/** How a rule does on some requests. */
export interface RuleFigures {
  /** The class of the mix, or the depth. */
  readonly of: string;
  readonly n: number;
  /** The share of requests within the table's default tolerance, or the mean accuracy above the best single exit's, points. */
  readonly share: number;
  /** Mean quality of a request: dB, or percent correct. */
  readonly quality: number;
  /** Share of requests worse than their input by more than 0.05 dB, where the inputs' quality is known. */
  readonly harm?: number;
  readonly mean_depth: number;
  readonly ms: number;
}

/** The table for the manifest, and the figures that `calibrate` prints beside it. */
export interface CalibrationReport {
  readonly calibration: Calibration;
  /** By tolerance, where there is a test part. */
  readonly gain: readonly AdaptivityGain[];
  /** The part that the two below are measured on. */
  readonly part: 'test' | 'certification';
  /** All requests, and each class of the mix, under the rule of the default tolerance. */
  readonly kinds: readonly RuleFigures[];
  /** All requests at each exit. */
  readonly exits: readonly RuleFigures[];
  /** Depths that the path could do without, by where the certification part leaves under the default rule. */
  readonly prunable: readonly number[];
}

/**
 * Certifies a rule for every tolerance of the metric.
 * @param data the traffic in a few words
 * @throws Error where the parts share a source or one is empty
 */
export function calibrationReport(
  parts: TracedParts,
  metric: Metric,
  { exits }: Pick<Manifest, 'exits'>,
  data: string,
): CalibrationReport {
  const { selection, certification, test } = parts;
  const options = { metric, depths: exits };
  const { tolerances, defaultTolerance, unit } = metric;
  const certificates = certify(selection, certification, { ...options, tolerances });
  // Where the metric's own default cannot be promised, the least tolerance above it that can is the default.
  const usualRow = certificates.find(
    ({ row }) => row.guaranteed && row.tolerance >= defaultTolerance,
  );
  const usual = usualRow?.rule;
  const tolerance = usualRow?.row.tolerance ?? defaultTolerance;
  // Without a certified rule the service runs to full depth.
  const served = usual ?? fixedRule(exits.length - 1);
  const measuredOn = test ?? certification;
  const figures = (of: string, rule: Rule, requests: readonly TracedKind[]): RuleFigures =>
    figuresOf(of, rule, requests, { parts, metric, exits, tolerance });
  const kinds = [...new Set(measuredOn.map(({ kind }) => kind))].sort();
  return {
    calibration: {
      unit,
      default: tolerance,
      data,
      rows: certificates.map((certificate) => rowOf(certificate, exits)),
      ...(usual && shadowDistance(usual, certification)),
    },
    gain: test
      ? tolerances.map((tolerance) => adaptivityGain({ ...parts, test }, tolerance, options))
      : [],
    part: test ? 'test' : 'certification',
    kinds: [
      figures('all', served, measuredOn),
      ...kinds.map((kind) =>
        figures(
          kind,
          served,
          measuredOn.filter((request) => request.kind === kind),
        ),
      ),
    ],
    exits: exits.map((depth, exit) => figures(String(depth), fixedRule(exit), measuredOn)),
    prunable: prunableExits(usesOf(served, certification, exits)),
  };
}

const usesOf = (
  rule: Rule,
  requests: readonly TracedKind[],
  exits: readonly number[],
): ExitUse[] => {
  const left = requests.map((request) => exitOf(rule, request));
  const n = requests.length;
  return exits.map((depth, exit) => ({
    depth,
    share: left.filter((at) => at === exit).length / n,
    ms: requests.reduce((sum, { ms }) => sum + ms[exit]!, 0) / n,
  }));
};

/** The share of early answers that shadow runs expect beyond the distance that calibration stores. */
const BEYOND = 0.05;

/**
 * The distance to full depth that a further early answer of the same traffic exceeds with a probability of 5 % (a conformal
 * quantile); empty where there are too few early answers for one, or where they are all alike.
 */
function shadowDistance(
  rule: Rule,
  requests: readonly TracedKind[],
): Pick<Calibration, 'shadow_distance'> {
  const early = requests.flatMap((request) => {
    const exit = exitOf(rule, request);
    return exit < request.distance.length - 1 ? [request.distance[exit]!] : [];
  });
  const sorted = early.sort((a, b) => a - b);
  const quantile = sorted[Math.ceil((1 - BEYOND) * (sorted.length + 1)) - 1] ?? 0;
  return quantile > 0 ? { shadow_distance: digits(quantile) } : {};
}

/**
 * The row for the manifest, numbers to six digits. A certified first exit is named by its depth: a threshold of 0 does not
 * stop where π has no value or is so small that it is 0.
 */
function rowOf({ row, rule }: Certificate, exits: readonly number[]): Calibration['rows'][number] {
  const first = rule?.kind === 'fixed' && rule.exit === 0 && exits.length > 1;
  return {
    ...row,
    ...(first && { threshold: null, depth: exits[0]! }),
    share: digits(row.share),
    bound: digits(row.bound),
    mean_depth: digits(row.mean_depth),
    ms: digits(row.ms),
  };
}

interface FigureOptions {
  readonly parts: TracedParts;
  readonly metric: Metric;
  readonly exits: readonly number[];
  /** Of the share that is shown. */
  readonly tolerance: number;
}

function figuresOf(
  of: string,
  rule: Rule,
  requests: readonly TracedKind[],
  { parts, metric, exits, tolerance }: FigureOptions,
): RuleFigures {
  const criterion = criterionFor(tolerance, parts.selection, metric);
  const outcomes = requests.map((request) => exitOutcome(exits)(request, rule));
  const mean = (value: (outcome: Outcome, i: number) => number): number =>
    outcomes.reduce((sum, outcome, i) => sum + value(outcome, i), 0) / outcomes.length;
  return {
    of,
    n: requests.length,
    share: digits(
      criterion.figure(mean(({ quality }, i) => criterion.loss(requests[i]!, quality))),
    ),
    quality: digits(mean(({ quality }) => quality)),
    ...(requests.every(({ input }) => input !== undefined) && {
      harm: digits(harmShare(requests, outcomes, metric)),
    }),
    mean_depth: digits(mean(({ depth }) => depth)),
    ms: digits(mean(({ ms }) => ms)),
  };
}

const digits = (value: number): number => Number(value.toPrecision(6));
