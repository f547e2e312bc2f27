/** The table of stop rules. */
import {
  ruleNames,
  type CertifiedRule,
  type RuleName,
  type Stoppable,
  type StoppingParameters,
} from './parameters.ts';

/** The model output that a rule compares with its thresholds. */
export type Signal = 'pi' | 'confidence';

interface RuleRow {
  readonly signal: Signal;
  /** Parameters of this rule; they are refused with rules that do not list them. */
  readonly takes: readonly (keyof StoppingParameters)[];
  /** Description for callers. */
  readonly help: string;
  /** The threshold, the same at every exit; Infinity where the rule does not compare or draws its thresholds. */
  readonly threshold: (parameters: StoppingParameters, model: Stoppable) => number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** The threshold of a model that was not calibrated: π > 1/2 means that stopping is more likely than going on. */
export const DEFAULT_THRESHOLD = 0.5;

/** What each rule compares, the parameters it takes and its threshold. */
export const stopRules: Readonly<Record<RuleName, RuleRow>> = {
  tolerance: {
    signal: 'pi',
    takes: ['tolerance'],
    help: 'lose at most tolerance, with the threshold certified for it',
    threshold: (parameters, model) => certified(model, parameters.tolerance)?.threshold ?? NEVER,
  },
  threshold: {
    signal: 'pi',
    takes: ['threshold'],
    help: 'stop when π exceeds the threshold',
    threshold: ({ threshold }, model) => threshold ?? model.threshold ?? DEFAULT_THRESHOLD,
  },
  confidence: {
    signal: 'confidence',
    takes: ['threshold'],
    help: 'stop when the largest class probability exceeds the threshold (models that output it)',
    threshold: ({ threshold }, model) =>
      threshold ?? model.thresholds?.confidence ?? DEFAULT_THRESHOLD,
  },
  sample: {
    signal: 'pi',
    takes: ['seed'],
    help: 'draw the depth from the distribution of the policy',
    threshold: () => NEVER,
  },
  fixed: {
    signal: 'pi',
    takes: ['depth'],
    help: 'stop at depth',
    threshold: () => NEVER,
  },
};

/** The rules that accept a parameter. */
export const rulesTaking = (parameter: keyof StoppingParameters): RuleName[] =>
  ruleNames.filter((name) => stopRules[name].takes.includes(parameter));

/**
 * The row of the calibration table for a tolerance: the row with the largest tolerance not above it, or the strictest
 * row where all are above it.
 * @param tolerance in the table's unit; default: the table's default
 */
export function certified(
  { calibration }: Pick<Stoppable, 'calibration'>,
  tolerance: number | undefined,
): CertifiedRule | undefined {
  if (!calibration) return undefined;
  const asked = tolerance ?? calibration.default;
  const rows = [...calibration.rows].sort((a, b) => a.tolerance - b.tolerance);
  return rows.findLast((row) => row.tolerance <= asked) ?? rows[0];
}
