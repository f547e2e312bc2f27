/** Why a sample stopped; one row a reason. */
export const stopReasons = {
  policy: 'π passed its threshold',
  max_depth: 'the last exit up to max_depth was reached',
  fixed: 'the fixed depth was reached',
  deadline: 'the deadline left no time for another segment',
  load: 'the service was loaded and had lowered the depth',
} as const;

export type StopReason = keyof typeof stopReasons;
export const reasonNames = Object.keys(stopReasons) as StopReason[];
