/** Exact tails of the binomial distribution. */

/**
 * P(X ≤ k) for X binomial with n trials of probability p: the exact p-value of "the failure rate is at least p" after k
 * failures. Sums the shorter tail, largest term first, so that it holds its digits up to n = 10⁵ and far into the tail.
 */
export function binomialTail(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n || p <= 0) return 1;
  if (p >= 1) return 0;
  return k < n * p ? lowerTail(k, n, p) : 1 - lowerTail(n - k - 1, n, 1 - p);
}

/** P(X ≤ k) where k is below the mean: terms fall from the last to the first. */
function lowerTail(k: number, n: number, p: number): number {
  let logTerm = k * Math.log(p) + (n - k) * Math.log1p(-p);
  const few = Math.min(k, n - k);
  for (let i = 1; i <= few; i++) logTerm += Math.log((n - few + i) / i);
  let ratio = 1;
  let sum = 1;
  for (let j = k; j > 0 && ratio > sum * 1e-17; j--) {
    ratio *= (j * (1 - p)) / ((n - j + 1) * p);
    sum += ratio;
  }
  return Math.min(1, Math.exp(logTerm) * sum);
}
