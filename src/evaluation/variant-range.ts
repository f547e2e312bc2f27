/** The range of the input statistic in which a variant loses little. */

/** What a variant lost on a request. */
export interface VariantLoss {
  readonly statistic: number;
  /** Against float, in the metric's unit. */
  readonly loss: number;
}

/** Requests of neighbouring statistics whose mean loss is compared with the limit. */
const BIN = 12;

/** The requests in bins of about {@link BIN}, by rising statistic. */
export function lossBins<L extends VariantLoss>(losses: readonly L[]): L[][] {
  const sorted = losses.toSorted((a, b) => a.statistic - b.statistic);
  const count = Math.max(1, Math.floor(sorted.length / BIN));
  const edge = (i: number): number => Math.floor((i * sorted.length) / count);
  return Array.from({ length: count }, (_, i) => sorted.slice(edge(i), edge(i + 1)));
}

/** The longest range in which every bin has a mean loss below the limit; undefined where there is none. */
export function variantRange(
  bins: readonly (readonly VariantLoss[])[],
  limit: number,
): { minimum: number; maximum: number } | undefined {
  let best: VariantLoss[] = [];
  let run: VariantLoss[] = [];
  for (const bin of bins) {
    run = meanLoss(bin) < limit ? [...run, ...bin] : [];
    if (run.length > best.length) best = run;
  }
  if (best.length === 0) return undefined;
  return { minimum: best[0]!.statistic, maximum: best.at(-1)!.statistic };
}

/** NaN of no requests. */
export const meanLoss = (losses: readonly VariantLoss[]): number =>
  losses.reduce((sum, { loss }) => sum + loss, 0) / losses.length;
