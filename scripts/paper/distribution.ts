/** Stop-time distributions as plain numbers: that of the policy, and the oracle posterior. */

/**
 * Stop-time distribution of a policy: q(t) = π_t ∏_{s<t} (1 − π_s).
 * @param pi π at every exit but the last, where it is 1
 * @returns q at every exit; sums to 1
 */
export function stopTime(pi: readonly number[]): number[] {
  let remaining = 1;
  const q = pi.map((p) => {
    const stop = remaining * p;
    remaining *= 1 - p;
    return stop;
  });
  return [...q, remaining];
}

/** Temperature and price of compute of the oracle posterior. */
export interface OracleOptions {
  /** Temperature: 1 gives the posterior; towards 0 all mass moves to the exit with the least loss. */
  readonly beta?: number;
  /** The price of compute λ in the prior p(t) ∝ exp(−λ c_t); 0 is the uniform prior. */
  readonly lambda?: number;
  /** Costs c_t at every exit; default: 0. */
  readonly costs?: readonly number[];
}

/** Oracle posterior q*(t|y,x) ∝ p(y|t,x)^{1/β} exp(−λ c_t), with log p(y|t,x) = −ℓ_t up to a constant. */
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
