/** Formats decibels for a table. */
export const decibels = (value: number): string => value.toFixed(2);

/** How often each value occurs. */
export function frequencies(values: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
