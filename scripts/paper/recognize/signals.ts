/** What a stop rule can go by at an exit: numbers from 0 to 1, larger where it had better stop. */
import { argmax } from '../../../src/evaluation/metrics.ts';
import type { Judged } from '../../../src/evaluation/trace.ts';
import type { Seen } from './setting.ts';

/** One number at every exit but the last. */
export type Signal = (seen: Seen) => readonly number[];

export const learnt: Signal = ({ pi }) => pi;

/** The largest probability. */
export const confidence: Signal = ({ scores }) =>
  scores.slice(0, -1).map((row) => row[argmax(row)]!);

/** 1 − H/log K: 1 where one class has it all, 0 where all have the same. */
export const certainty: Signal = ({ scores }) =>
  scores.slice(0, -1).map((row) => {
    const entropy = row.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
    return 1 - entropy / Math.log(row.length);
  });

/** Patience (Zhou et al. 2020): how many exits in a row, up to this one, have given the same answer, as a share of all. */
export const patience: Signal = ({ scores }) => {
  let run = 0;
  let last = -1;
  return scores.slice(0, -1).map((row) => {
    const answer = argmax(row);
    run = answer === last ? run + 1 : 1;
    last = answer;
    return run / scores.length;
  });
};

export const right = ({ scores, truth }: Seen, exit: number): boolean =>
  argmax(scores[exit]!) === truth;

/** The images as thresholds are tried on: the signal in the place of π, accuracy as what an exit is worth. */
export const judgedBy = (seen: readonly Seen[], signal: Signal): Judged[] =>
  seen.map((one) => ({
    pi: signal(one),
    parts: one.scores.map((_, exit) => [right(one, exit) ? 100 : 0, 1] as const),
  }));

/**
 * Expected calibration error at one exit, percent: the mean distance between confidence and accuracy over bins of equal
 * width, each weighted by its share of the images (Guo et al. 2017).
 */
export function calibrationError(seen: readonly Seen[], exit: number, bins = 15): number {
  const sums = Array.from({ length: bins }, () => ({ confidence: 0, right: 0 }));
  for (const one of seen) {
    const row = one.scores[exit]!;
    const p = row[argmax(row)]!;
    const bin = sums[Math.min(bins - 1, Math.floor(p * bins))]!;
    bin.confidence += p;
    bin.right += right(one, exit) ? 1 : 0;
  }
  return (
    (100 * sums.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.right), 0)) / seen.length
  );
}
