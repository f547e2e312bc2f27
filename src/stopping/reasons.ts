/** Why a sample stopped: one row per reason. */
export const stopReasons = {
  policy: 'π exceeded its threshold',
  max_depth: 'it reached the last exit allowed by max_depth',
  fixed: 'it reached the fixed depth',
  deadline: 'the next segment would have missed the deadline',
  load: 'the service had lowered the depth under load',
} as const;

export type StopReason = keyof typeof stopReasons;
export const reasonNames = Object.keys(stopReasons) as StopReason[];
