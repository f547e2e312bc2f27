/** The stop rule: a sample stops at the first exit t with π_t > τ_t. Each named rule is a choice of thresholds τ. */
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { Problem } from '../errors.ts';
import { mix } from '../util/mix.ts';
import type { StopReason } from './reasons.ts';
import {
  ruleNames,
  type CertifiedRule,
  type RuleName,
  type Stoppable,
  type StoppingParameters,
} from './parameters.ts';
import { certified, rulesTaking, stopRules, type Signal } from './rules.ts';

/** The rule for one sample. Exits are counted from 0 here. */
export interface StopRule {
  /** The model output that is compared with the thresholds. */
  readonly signal: Signal;
  /** τ at every exit; Infinity where the policy cannot stop the sample. */
  readonly thresholds: readonly number[];
  /** The exit at which the sample stops in any case, and the reason it then gives. */
  readonly last: number;
  readonly lastReason: StopReason;
  /** The first exit at which the sample may stop under load: the first one that computes, whatever the request asks for. */
  readonly shedFrom: number;
}

/** The parameters of a request, checked against the model and completed; shared by all its samples. */
export interface ResolvedStopping extends StoppingParameters {
  readonly rule: RuleName;
  /** With rule `tolerance`: the row of the calibration table that is used. */
  readonly certificate?: CertifiedRule;
}

/**
 * Checks the parameters against the model, and draws a seed where the rule needs one and none is given.
 * @throws Problem `bad-parameter` or `not-calibrated`, with the allowed values
 */
export function resolveStopping(
  parameters: StoppingParameters,
  model: Stoppable,
  drawSeed: () => number,
): ResolvedStopping {
  const rule = parameters.rule ?? impliedRule(parameters, model);
  checkOwnParameters(rule, parameters, model);
  checkDepths(parameters, model);
  if (rule === 'sample') return { ...parameters, rule, seed: parameters.seed ?? drawSeed() };
  const certificate = rule === 'tolerance' ? certified(model, parameters.tolerance) : undefined;
  return { ...parameters, rule, ...(certificate && { certificate }) };
}

/** The rule where none is named: the one that takes the given parameter, else the model's default. */
function impliedRule(
  { depth, threshold, tolerance }: StoppingParameters,
  model: Stoppable,
): RuleName {
  if (tolerance !== undefined) return 'tolerance';
  if (depth !== undefined) return 'fixed';
  if (threshold !== undefined) return 'threshold';
  return model.calibration?.rows.some(({ guaranteed }) => guaranteed) ? 'tolerance' : 'threshold';
}

const refuse = (detail: string): never => {
  throw new Problem('bad-parameter', detail);
};

const OWN = ['tolerance', 'threshold', 'seed', 'depth'] as const;

function checkOwnParameters(
  rule: RuleName,
  parameters: StoppingParameters,
  model: Stoppable,
): void {
  for (const name of OWN) {
    const owners = rulesTaking(name);
    if (parameters[name] !== undefined && !owners.includes(rule))
      refuse(
        `${name} requires ${owners.map((owner) => `rule=${owner}`).join(' or ')}, but the rule is ${rule}.`,
      );
  }
  if (rule === 'tolerance' && !model.calibration)
    throw new Problem(
      'not-calibrated',
      'This model has no calibration table; use rule=threshold, or run npm run calibrate.',
    );
  const { signal } = stopRules[rule];
  if (signal !== 'pi' && !model.policies?.includes(signal)) {
    const possible = ruleNames.filter((name) => stopRules[name].signal === 'pi').join(', ');
    refuse(
      `rule=${rule} requires a model that outputs its ${signal}; this model supports ${possible}.`,
    );
  }
}

function checkDepths(
  { rule, depth, minDepth, maxDepth }: StoppingParameters,
  model: Stoppable,
): void {
  const { exits } = model;
  if (rule === 'fixed' || depth !== undefined) {
    if (depth === undefined) refuse(`rule=fixed requires depth, one of the exits ${list(exits)}.`);
    else if (!exits.includes(depth))
      refuse(`depth=${depth} is not an exit of this model; its exits are ${list(exits)}.`);
    if (minDepth !== undefined || maxDepth !== undefined)
      refuse('min_depth and max_depth cannot be combined with rule=fixed.');
  }
  if (minDepth !== undefined && minDepth > model.depth)
    refuse(`min_depth=${minDepth} is beyond the model's depth ${model.depth}.`);
  const first = exits[0]!;
  if (maxDepth !== undefined && maxDepth < first)
    refuse(`max_depth=${maxDepth} is before the first exit, ${first}.`);
  if (!exits.some((exit) => exit >= (minDepth ?? 0) && exit <= (maxDepth ?? model.depth))) {
    refuse(
      `No exit lies between min_depth=${minDepth ?? 0} and max_depth=${maxDepth ?? model.depth}; the exits are ${list(exits)}.`,
    );
  }
}

/** The rule for one sample. @param index of the sample in its request, which the `sample` rule draws by */
export function stopRule(parameters: ResolvedStopping, model: Stoppable, index: number): StopRule {
  const { exits } = model;
  const never = Number.POSITIVE_INFINITY;
  const { rule, certificate, minDepth = 0, maxDepth = model.depth } = parameters;
  const { signal, threshold } = stopRules[rule];
  const fixed = rule === 'fixed' ? parameters.depth! : (certificate?.depth ?? undefined);
  if (fixed !== undefined && fixed >= minDepth && fixed <= maxDepth) {
    return {
      signal,
      thresholds: exits.map(() => never),
      last: exits.indexOf(fixed),
      lastReason: 'fixed',
      shedFrom: shedFrom(exits),
    };
  }
  const uniform = rule === 'sample' ? uniforms(parameters.seed!, index) : undefined;
  const tau = threshold(parameters, model);
  const thresholds = exits.map((exit) => {
    const drawn = uniform ? uniform() : tau;
    return exit < minDepth ? never : drawn;
  });
  return {
    signal,
    thresholds,
    last: exits.findLastIndex((exit) => exit <= maxDepth),
    lastReason: 'max_depth',
    shedFrom: shedFrom(exits),
  };
}

/** The first exit that computes. */
const shedFrom = (exits: readonly number[]): number => exits.findIndex((exit) => exit >= 1);

/**
 * Whether the sample stops at exit `at`, and why.
 * @param value the rule's signal at this exit; undefined where it was not computed
 * @param cap the exit from which samples stop under load; Infinity without load
 */
export function stops(
  rule: StopRule,
  at: number,
  value: number | undefined,
  cap = Number.POSITIVE_INFINITY,
): StopReason | undefined {
  if (value !== undefined && value > rule.thresholds[at]!) return 'policy';
  if (at >= rule.last) return rule.lastReason;
  return at >= cap && at >= rule.shedFrom ? 'load' : undefined;
}

/**
 * Whether the certificate holds for an answer whose samples stopped for these reasons. It does not under `min_depth`,
 * `max_depth`, a deadline or load.
 */
export const isGuaranteed = (
  { certificate, minDepth, maxDepth }: ResolvedStopping,
  reasons: readonly StopReason[],
): boolean =>
  certificate?.guaranteed === true &&
  minDepth === undefined &&
  maxDepth === undefined &&
  reasons.every((reason) => reason !== 'deadline' && reason !== 'load');

/**
 * The smallest certified tolerance whose rule stops a sample at exit `at` and at none before; undefined where there is none,
 * or where a π that decides is not known. A rule that would have stopped earlier promises nothing here: no loss is assumed to
 * fall with depth.
 * @param pi at the exits so far; NaN where it was not computed
 * @param first the first exit that gives π
 */
export function certifiedAt(
  model: Stoppable,
  pi: readonly number[],
  at: number,
  first = 0,
): number | undefined {
  const stopsHere = (certificate: CertifiedRule): boolean => {
    const { tolerance } = certificate;
    const rule = stopRule({ rule: 'tolerance', tolerance, certificate }, model, 0);
    for (let exit = first; exit < at; exit++) {
      const isUnknown = Number.isNaN(pi[exit]) && rule.thresholds[exit] !== Infinity;
      if (isUnknown || stops(rule, exit, pi[exit])) return false;
    }
    return stops(rule, at, pi[at]) !== undefined;
  };
  const certified = model.calibration?.rows.filter(({ guaranteed }) => guaranteed) ?? [];
  const kept = certified.filter(stopsHere).map(({ tolerance }) => tolerance);
  return kept.length > 0 ? Math.min(...kept) : undefined;
}

/** Uniform numbers in [0,1) that depend on the seed and the sample's index only. */
function uniforms(seed: number, index: number): () => number {
  const key = mix(seed) ^ mix(index + 0x9e3779b9);
  const generator = xoroshiro128plusFromState([1, 2, 3, 4].map((word) => mix(key + word)));
  return () => (generator.next() >>> 0) / 2 ** 32;
}

const list = (numbers: readonly number[]): string => numbers.join(', ');
