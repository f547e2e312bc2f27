/** A figure in decibels as tables print it. */
export const decibels = (value: number): string => value.toFixed(2);
