import type { Manifest } from '../../../src/bundle/manifest.ts';

/** FLOPs of a sample that stops at exit index `at`: layers and read-out, and the policies if `withPolicy`. */
export function flopsUpTo(
  { flops: { segments, heads, policies } }: Manifest,
  at: number,
  withPolicy = false,
): number {
  const sum = (values: readonly number[]): number =>
    values.slice(0, at + 1).reduce((a, b) => a + b, 0);
  return sum(segments) + heads[at]! + (withPolicy ? sum(policies) : 0);
}
