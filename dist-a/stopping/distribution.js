/** Stop-time distributions as plain numbers: what the policy says, and what the oracle would. */
/** q(t) = π_t ∏_{s<t} (1 − π_s) over the exits, from π at every exit but the last, where π is 1. Sums to one. */
export function stopTime(pi) {
    let remaining = 1;
    const q = pi.map((p) => {
        const stop = remaining * p;
        remaining *= 1 - p;
        return stop;
    });
    return [...q, remaining];
}
/** q*(t|y,x) ∝ p(y|t,x)^{1/β} exp(−λ c_t), with log p(y|t,x) = −ℓ_t up to a constant. */
export function oracle(losses, { beta = 1, lambda = 0, costs = [] } = {}) {
    const logs = losses.map((loss, t) => -loss / beta - lambda * (costs[t] ?? 0));
    const top = Math.max(...logs);
    const weights = logs.map((value) => Math.exp(value - top));
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / sum);
}
//# sourceMappingURL=distribution.js.map