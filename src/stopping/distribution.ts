/** Stop-time distributions as plain numbers: what the policy says, and what the oracle would. */

/** q(t) = π_t ∏_{s<t} (1 − π_s) over the exits, from π at every exit but the last, where π is 1. Sums to one. */
export function stopTime(pi: readonly number[]): number[] {
  let remaining = 1;
  const q = pi.map((p) => {
    const stop = remaining * p;
    remaining *= 1 - p;
    return stop;
  });
  return [...q, remaining];
}

export interface OracleOptions {
  /** Temperature; 1 gives the true posterior, towards 0 the exit with the least loss. */
  readonly beta?: number;
  /** The price λ of compute in p(t) ∝ exp(−λ c_t); 0 is the uniform prior. */
  readonly lambda?: number;
  /** c_t at every exit. */
  readonly costs?: readonly number[];
}

/** q*(t|y,x) ∝ p(y|t,x)^{1/β} exp(−λ c_t), with log p(y|t,x) = −ℓ_t up to a constant. */
export function oracle(
  losses: readonly number[],
  { beta = 1, lambda = 0, costs = [] }: OracleOptions = {},
): number[] {
  const logs = losses.map((loss, t) => -loss / beta - lambda * (costs[t] ?? 0));
  const top = Math.max(...logs);
  const weights = logs.map((value) => Math.exp(value - top));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}
