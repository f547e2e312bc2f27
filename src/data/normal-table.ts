/** Normal random numbers from a table of quantiles: four times as fast as the exact method, for noise that is rounded anyway. */
import type { Random } from './random.ts';

/** Table size, small enough for the CPU cache. */
const LEVELS = 2 ** 14;
const table = quantiles();

/**
 * Fills `target` with normal numbers of the given standard deviation, two per draw of 32 bits. There are 16,384 distinct
 * values, all within 4 standard deviations.
 */
export function fillFromTable(target: Float32Array, deviation: number, random: Random): void {
  for (let i = 0; i < target.length; i += 2) {
    const both = LEVELS * random.uniform();
    const high = Math.floor(both);
    target[i] = deviation * table[high]!;
    if (i + 1 < target.length)
      target[i + 1] = deviation * table[Math.floor(LEVELS * (both - high))]!;
  }
}

/** Φ⁻¹((i + ½) / LEVELS): x'(p) = √(2π) exp(x²/2), integrated from the median by the midpoint method; scaled to variance one. */
function quantiles(): Float32Array {
  const result = new Float32Array(LEVELS);
  const slope = (x: number): number => (Math.sqrt(2 * Math.PI) * Math.exp((x * x) / 2)) / LEVELS;
  let squares = 0;
  let x = slope(0) / 2;
  for (let i = 0; i < LEVELS / 2; i++) {
    result[LEVELS / 2 + i] = x;
    squares += x * x;
    x += slope(x + slope(x) / 2);
  }
  const scale = Math.sqrt(LEVELS / 2 / squares);
  for (let i = LEVELS / 2; i < LEVELS; i++) {
    result[i]! *= scale;
    result[LEVELS - 1 - i] = -result[i]!;
  }
  return result;
}
