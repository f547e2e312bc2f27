/** The stop rule: one comparison, π_t > τ_t, and the thresholds that make every rule of it. */
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { Problem } from '../errors.ts';
import { mix } from '../util/mix.ts';

export const ruleNames = ['threshold', 'confidence', 'sample', 'fixed'] as const;
/** `confidence` compares the number of that name instead of π, where the model gives it. */
export type RuleName = (typeof ruleNames)[number];

/** What a caller may ask of the stop rule; times in milliseconds. */
export interface StoppingParameters {
  readonly rule?: RuleName;
  readonly threshold?: number;
  readonly seed?: number;
  readonly depth?: number;
  readonly minDepth?: number;
  readonly maxDepth?: number;
  /** From the request's arrival to the end of compute. */
  readonly deadlineMs?: number;
}

export type StopReason = 'policy' | 'max_depth' | 'fixed' | 'deadline' | 'load';

/** What a model brings to the rule. */
export interface Stoppable {
  readonly depth: number;
  readonly exits: readonly number[];
  /** Of π. */
  readonly threshold?: number | undefined;
  /** What the model gives for rules to compare; π alone where it is left out. */
  readonly policies?: readonly string[] | undefined;
  /** Of the others, by name. */
  readonly thresholds?: Readonly<Record<string, number>> | undefined;
}

/** The rule for one sample: a threshold for every exit, and the exit that none passes. Exits are numbered from 0 here. */
export interface StopRule {
  /** The name of what is compared with the thresholds. */
  readonly policy: string;
  /** τ at every exit; Infinity where the policy may not stop. */
  readonly thresholds: readonly number[];
  /** The exit at which the sample stops in any case, and why it does. */
  readonly last: number;
  readonly lastReason: StopReason;
  /** The first exit at which a loaded service may end it; Infinity for `fixed`. */
  readonly shedFrom: number;
}

/** The parameters of a request, checked against a model and completed: the same for all its samples. */
export interface ResolvedStopping extends StoppingParameters {
  readonly rule: RuleName;
}

/**
 * Checks the parameters against the model they are meant for, and draws a seed where the rule needs one and none is given.
 * @throws Problem `bad-parameter`, naming what would be allowed
 */
export function resolveStopping(
  parameters: StoppingParameters,
  model: Stoppable,
  drawSeed: () => number,
): ResolvedStopping {
  const { depth, minDepth, maxDepth, threshold, seed } = parameters;
  const rule = parameters.rule ?? (depth === undefined ? 'threshold' : 'fixed');
  const refuse = (detail: string): never => {
    throw new Problem('bad-parameter', detail);
  };
  if (rule === 'fixed') {
    if (depth === undefined)
      refuse(`rule=fixed needs depth, one of the exits ${list(model.exits)}.`);
    else if (!model.exits.includes(depth))
      refuse(`depth=${depth} is not an exit of this model; its exits are ${list(model.exits)}.`);
    if (minDepth !== undefined || maxDepth !== undefined)
      refuse('min_depth and max_depth have no meaning with rule=fixed; leave them out.');
  } else if (depth !== undefined) refuse(`depth goes with rule=fixed, not with rule=${rule}.`);
  if (threshold !== undefined && rule !== 'threshold' && rule !== 'confidence')
    refuse(`threshold goes with rule=threshold or rule=confidence, not with rule=${rule}.`);
  if (rule === 'confidence' && !model.policies?.includes(rule))
    refuse(
      `rule=confidence needs a model that gives its confidence, which this one does not; its rules are threshold, sample and fixed.`,
    );
  if (seed !== undefined && rule !== 'sample')
    refuse(`seed goes with rule=sample, not with rule=${rule}.`);
  if (minDepth !== undefined && minDepth > model.depth)
    refuse(`min_depth=${minDepth} is beyond the model's depth ${model.depth}.`);
  const first = model.exits[0]!;
  if (maxDepth !== undefined && maxDepth < first)
    refuse(`max_depth=${maxDepth} is before the first exit, ${first}.`);
  if (!model.exits.some((exit) => exit >= (minDepth ?? 1) && exit <= (maxDepth ?? model.depth))) {
    refuse(
      `No exit lies from min_depth=${minDepth} to max_depth=${maxDepth}; the exits are ${list(model.exits)}.`,
    );
  }
  return rule === 'sample'
    ? { ...parameters, rule, seed: seed ?? drawSeed() }
    : { ...parameters, rule };
}

/** The rule for the sample with this index in its request. */
export function stopRule(parameters: ResolvedStopping, model: Stoppable, index: number): StopRule {
  const { exits } = model;
  const never = Number.POSITIVE_INFINITY;
  const policy = parameters.rule === 'confidence' ? 'confidence' : 'pi';
  if (parameters.rule === 'fixed') {
    return {
      policy,
      thresholds: exits.map(() => never),
      last: exits.indexOf(parameters.depth!),
      lastReason: 'fixed',
      shedFrom: never,
    };
  }
  const { minDepth = 1, maxDepth = model.depth } = parameters;
  const uniform = parameters.rule === 'sample' ? uniforms(parameters.seed!, index) : undefined;
  const calibrated = policy === 'pi' ? model.threshold : model.thresholds?.[policy];
  const threshold = parameters.threshold ?? calibrated ?? 0.5;
  const thresholds = exits.map((exit) => {
    const tau = uniform ? uniform() : threshold;
    return exit < minDepth ? never : tau;
  });
  return {
    policy,
    thresholds,
    last: exits.findLastIndex((exit) => exit <= maxDepth),
    lastReason: 'max_depth',
    shedFrom: exits.findIndex((exit) => exit >= minDepth),
  };
}

/**
 * Whether the sample stops at exit `at`, and why.
 * @param cap the exit from which a loaded service ends samples; Infinity while it is not
 */
export function stops(
  rule: StopRule,
  at: number,
  pi: number,
  cap = Number.POSITIVE_INFINITY,
): StopReason | undefined {
  if (pi > rule.thresholds[at]!) return 'policy';
  if (at >= rule.last) return rule.lastReason;
  return at >= cap && at >= rule.shedFrom ? 'load' : undefined;
}

/** Uniform numbers in [0,1) that depend on the seed and the sample's index alone. */
function uniforms(seed: number, index: number): () => number {
  const key = mix(seed) ^ mix(index + 0x9e3779b9);
  const generator = xoroshiro128plusFromState([1, 2, 3, 4].map((word) => mix(key + word)));
  return () => (generator.next() >>> 0) / 2 ** 32;
}

const list = (numbers: readonly number[]): string => numbers.join(', ');
