/** Signals that a stop rule can compare with its threshold: numbers from 0 to 1, larger to stop. */
import { argmax } from '../../../src/evaluation/metrics.ts';
import type { Judged } from '../../../src/evaluation/trace.ts';
import type { ImageTrace } from './setting.ts';

/** A value for every exit except the last. */
export type Signal = (trace: ImageTrace) => readonly number[];

export const stopProbability: Signal = ({ pi }) => pi;

/** Largest class probability. */
export const confidence: Signal = ({ scores }) =>
  scores.slice(0, -1).map((row) => row[argmax(row)]!);

/** 1 − H/log K of the class probabilities: 1 for a one-hot distribution, 0 for a uniform one. */
export const certainty: Signal = ({ scores }) =>
  scores.slice(0, -1).map((row) => {
    const entropy = row.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
    return 1 - entropy / Math.log(row.length);
  });

/** Patience (Zhou et al. 2020): number of consecutive exits up to this one with the same answer, divided by the number of exits. */
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

export const isCorrect = ({ scores, truth }: ImageTrace, exit: number): boolean =>
  argmax(scores[exit]!) === truth;

/** Input for threshold selection: the signal in place of π, accuracy (0 or 100) as the quality of an exit. */
export const toJudged = (traces: readonly ImageTrace[], signal: Signal): Judged[] =>
  traces.map((one) => ({
    pi: signal(one),
    parts: one.scores.map((_, exit) => [isCorrect(one, exit) ? 100 : 0, 1] as const),
  }));

/**
 * Expected calibration error at one exit, percent: the mean distance between confidence and accuracy over bins of equal
 * width, each weighted by its share of the images (Guo et al. 2017).
 */
export function calibrationError(traces: readonly ImageTrace[], exit: number, bins = 15): number {
  const sums = Array.from({ length: bins }, () => ({ confidence: 0, right: 0 }));
  for (const one of traces) {
    const row = one.scores[exit]!;
    const p = row[argmax(row)]!;
    const bin = sums[Math.min(bins - 1, Math.floor(p * bins))]!;
    bin.confidence += p;
    bin.right += isCorrect(one, exit) ? 1 : 0;
  }
  return (
    (100 * sums.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.right), 0)) / traces.length
  );
}
