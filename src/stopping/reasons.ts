/** Why a sample stopped: one row per reason. */
export const stopReasons = {
  policy: 'π exceeded its threshold',
  max_depth: 'it reached the last exit allowed by max_depth',
  fixed: 'it reached the fixed depth',
  deadline: 'the next segment would have missed the deadline',
  load: 'the service had lowered the depth under load',
} as const;

/** The reason why a sample stopped, as answers and metrics name it. */
export type StopReason = keyof typeof stopReasons;
/** All reasons, in the order of the table. */
export const reasonNames = Object.keys(stopReasons) as StopReason[];
