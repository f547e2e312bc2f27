/** What a benchmark says: figures that are ratios, or rates, measured on both sides in one run. */
import { median } from '../../src/util/median.ts';

export interface Row {
  readonly benchmark: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What is aimed at, in words such as `≤ 0.7`. */
  readonly target?: string;
  readonly detail?: string;
}

export interface BenchOptions {
  readonly modelsDir: string;
  /** Clean images for the denoising rows; the repository's sample picture where absent. */
  readonly images?: string;
  /** A folder for the plots of those that draw some. */
  readonly plots?: string;
}

export interface Bench {
  readonly name: string;
  /** What is compared with what, in a sentence. */
  readonly about: string;
  run(options: BenchOptions): Promise<Row[]>;
}

/** Runs both sides in turn, `rounds` times after one that is not counted; ms of each side's median round. */
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

export const round = (value: number, digits = 3): number => Number(value.toPrecision(digits));
