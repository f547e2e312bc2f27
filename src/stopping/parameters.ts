/** The inputs of the stop rule: the parameters of a request and the properties of a model. */

/** The stop rules that a request may name; `stopRules` has a row for each. */
export const ruleNames = ['tolerance', 'threshold', 'confidence', 'sample', 'fixed'] as const;
/** The name of a stop rule. */
export type RuleName = (typeof ruleNames)[number];

/** The stopping parameters of a request. */
export interface StoppingParameters {
  readonly rule?: RuleName;
  /** The accepted loss, in the unit of the model's calibration table (dB; points of accuracy). */
  readonly tolerance?: number;
  readonly threshold?: number;
  readonly seed?: number;
  readonly depth?: number;
  readonly minDepth?: number;
  readonly maxDepth?: number;
  /** From the arrival of the whole request to the end of compute, ms. */
  readonly deadlineMs?: number;
}

/** The fields of a row of the calibration table that the rule needs. */
export interface CertifiedRule {
  readonly tolerance: number;
  readonly threshold: number | null;
  readonly depth?: number | null | undefined;
  readonly guaranteed: boolean;
}

/** The fields of a manifest that the rule needs. */
export interface Stoppable {
  readonly depth: number;
  readonly exits: readonly number[];
  /** The calibrated threshold on π. */
  readonly threshold?: number | undefined;
  /** The signals that the model outputs; default: π alone. */
  readonly policies?: readonly string[] | undefined;
  /** Calibrated thresholds on the other signals, by name. */
  readonly thresholds?: Readonly<Record<string, number>> | undefined;
  readonly calibration?:
    { readonly default: number; readonly rows: readonly CertifiedRule[] } | undefined;
}
