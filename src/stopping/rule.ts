/** What a caller may ask of the stop rule, after validation; times in milliseconds. */
export interface StoppingParameters {
  readonly rule?: 'threshold' | 'sample' | 'fixed';
  readonly threshold?: number;
  readonly seed?: number;
  readonly depth?: number;
  readonly minDepth?: number;
  readonly maxDepth?: number;
  /** From the request's arrival to the end of compute. */
  readonly deadlineMs?: number;
}

export type StopReason = 'policy' | 'max_depth' | 'fixed' | 'deadline' | 'load';
