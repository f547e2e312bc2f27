/** The stop rules: each row says what is compared with what. */
import {
  ruleNames,
  type CertifiedRule,
  type RuleName,
  type Stoppable,
  type StoppingParameters,
} from './parameters.ts';

/** The value that a rule compares with its thresholds, by the name under which a model gives it. */
export type Signal = 'pi' | 'confidence';

interface RuleRow {
  readonly signal: Signal;
  /** The parameters that belong to this rule; with other rules they are refused. */
  readonly takes: readonly (keyof StoppingParameters)[];
  /** What a caller reads about it. */
  readonly help: string;
  /** The threshold at every exit, where it is one number. */
  readonly threshold: (parameters: StoppingParameters, model: Stoppable) => number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** The threshold of a model that was never calibrated. */
const UNCALIBRATED = 0.5;

export const stopRules: Readonly<Record<RuleName, RuleRow>> = {
  tolerance: {
    signal: 'pi',
    takes: ['tolerance'],
    help: 'give up at most tolerance, by the threshold that was certified for it',
    threshold: (parameters, model) => certified(model, parameters.tolerance)?.threshold ?? NEVER,
  },
  threshold: {
    signal: 'pi',
    takes: ['threshold'],
    help: 'stop where π exceeds the threshold',
    threshold: ({ threshold }, model) => threshold ?? model.threshold ?? UNCALIBRATED,
  },
  confidence: {
    signal: 'confidence',
    takes: ['threshold'],
    help: 'stop where the largest class probability exceeds the threshold, with models that give it',
    threshold: ({ threshold }, model) => threshold ?? model.thresholds?.confidence ?? UNCALIBRATED,
  },
  sample: {
    signal: 'pi',
    takes: ['seed'],
    help: 'draw the depth with the probabilities that the policy gives',
    threshold: () => NEVER,
  },
  fixed: {
    signal: 'pi',
    takes: ['depth'],
    help: 'stop at depth',
    threshold: () => NEVER,
  },
};

/** The rules that a parameter belongs to. */
export const rulesTaking = (parameter: keyof StoppingParameters): RuleName[] =>
  ruleNames.filter((name) => stopRules[name].takes.includes(parameter));

/**
 * The row of the calibration table for a tolerance: the largest that is not above it; below the smallest, the smallest.
 * @param tolerance in the table's unit; the table's default where absent
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
