/** What a caller asks of the stop rule, and what a model brings to it. */

export const ruleNames = ['tolerance', 'threshold', 'confidence', 'sample', 'fixed'] as const;
export type RuleName = (typeof ruleNames)[number];

/** What a caller may ask of the stop rule. */
export interface StoppingParameters {
  readonly rule?: RuleName;
  /** The loss that is accepted, in the unit of the model's calibration table (dB; points of accuracy). */
  readonly tolerance?: number;
  readonly threshold?: number;
  readonly seed?: number;
  readonly depth?: number;
  readonly minDepth?: number;
  readonly maxDepth?: number;
  /** From the arrival of the whole request to the end of compute, ms. */
  readonly deadlineMs?: number;
}

/** A row of a calibration table, as far as the rule needs it. */
export interface CertifiedRule {
  readonly tolerance: number;
  readonly threshold: number | null;
  readonly depth?: number | null | undefined;
  readonly guaranteed: boolean;
}

/** What a model brings to the rule. */
export interface Stoppable {
  readonly depth: number;
  readonly exits: readonly number[];
  /** The calibrated threshold on π. */
  readonly threshold?: number | undefined;
  /** The signals the model gives for rules to compare; π alone where this is left out. */
  readonly policies?: readonly string[] | undefined;
  /** Calibrated thresholds on the other signals, by name. */
  readonly thresholds?: Readonly<Record<string, number>> | undefined;
  readonly calibration?:
    { readonly default: number; readonly rows: readonly CertifiedRule[] } | undefined;
}
