import type { Manifest } from '../../../src/bundle/manifest.ts';

/** Floating-point operations of a sample that leaves at exit `at`, from 0: layers and read-out, and the policy where one is asked. */
export function flopsUpTo(
  { flops: { segments, heads, policies } }: Manifest,
  at: number,
  withPolicy = false,
): number {
  const sum = (values: readonly number[]): number =>
    values.slice(0, at + 1).reduce((a, b) => a + b, 0);
  return sum(segments) + heads[at]! + (withPolicy ? sum(policies) : 0);
}
