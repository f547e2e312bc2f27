/** The result of a benchmark: ratios or rates, with both sides measured in one run. */
import { median } from '../../src/util/median.ts';

export interface Row {
  readonly benchmark: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Target, such as `≤ 0.7`. */
  readonly target?: string;
  readonly detail?: string;
}

export interface BenchOptions {
  readonly modelsDir: string;
  /** Folder of clean images for the denoising rows; by default the sample image of the repository. */
  readonly images?: string;
  /** Folder for plots. */
  readonly plots?: string;
  /** Fewer and shorter rounds. */
  readonly quick?: boolean;
}

export interface Bench {
  readonly name: string;
  /** One sentence: what is compared with what. */
  readonly about: string;
  run(options: BenchOptions): Promise<Row[]>;
}

/** Runs both sides alternately for one warm-up round and `rounds` measured ones. @returns median round of each side, ms. */
export async function alternate(
  first: () => Promise<unknown>,
  second: () => Promise<unknown>,
  rounds: number,
): Promise<{ first: number; second: number }> {
  const times: [number[], number[]] = [[], []];
  for (let round = -1; round < rounds; round++) {
    for (const [i, side] of [first, second].entries()) {
      const start = performance.now();
      await side();
      if (round >= 0) times[i]!.push(performance.now() - start);
    }
  }
  return { first: median(times[0]), second: median(times[1]) };
}

/** Rounds, signals or the like of a usual or a quick run. */
export const fewer = (usual: number, quick = false): number =>
  quick ? Math.ceil(usual / 5) : usual;

export const round = (value: number, digits = 3): number => Number(value.toPrecision(digits));

/** The value below which this share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
