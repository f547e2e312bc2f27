import { describe, expect, it } from 'vitest';
import { exitAt } from '../../../src/evaluation/trace.ts';
import { flopsUpTo } from '../../../scripts/paper/recognize/cost.ts';
import {
  calibrationError,
  certainty,
  confidence,
  patience,
  toJudged,
} from '../../../scripts/paper/recognize/signals.ts';
import { manifest } from '../../tasks/fixtures.ts';

const seen = (truth: number, ...scores: number[][]) => ({
  truth,
  scores: scores.map((row) => Float32Array.from(row)),
  pi: [0.2, 0.7],
});

describe('what a stop rule can go by', () => {
  const one = seen(0, [0.5, 0.5], [0.25, 0.75], [0.9, 0.1]);
  it('confidence is the largest probability, certainty one less the entropy, both before the last exit', () => {
    expect(confidence(one)).toEqual([0.5, 0.75]);
    const [even, sure] = certainty(one);
    expect(even).toBeCloseTo(0);
    expect(sure).toBeCloseTo(1 - (-0.25 * Math.log2(0.25) - 0.75 * Math.log2(0.75)));
    expect(certainty(seen(0, [1, 0], [0, 1]))).toEqual([1]);
  });

  it('patience counts the exits in a row that agree', () => {
    const rows = [0, 1, 1, 1, 0].map((k) => [1 - k, k]);
    expect(patience(seen(1, ...rows))).toEqual([0.2, 0.2, 0.4, 0.6]);
  });

  it('takes the place of π in the one comparison', () => {
    const [judged] = toJudged([one], confidence);
    expect(exitAt(judged!, 0.6)).toBe(1);
    expect(exitAt(judged!, 0.8)).toBe(2);
    expect(judged!.parts.map(([value]) => value)).toEqual([100, 0, 100]);
  });

  it('has a calibration error of the distance between confidence and accuracy, bin by bin', () => {
    // Two images at 0.8, one of them right; two at 0.6, both right: (|0.8 − 0.5| + |0.6 − 1|) / 2.
    const images = [
      seen(0, [0.8, 0.2]),
      seen(1, [0.8, 0.2]),
      seen(0, [0.6, 0.4]),
      seen(1, [0.4, 0.6]),
    ];
    expect(calibrationError(images, 0)).toBeCloseTo(35, 4);
  });

  it('costs the layers, the read-out and, where it is asked, the policies on the way', () => {
    const model = {
      ...manifest('m', 'recognize', ['N', 6]),
      flops: {
        per: 'sample' as const,
        segments: [10, 20, 30],
        heads: [1, 2, 3],
        policies: [0.5, 0.5, 0],
      },
    };
    expect([0, 1, 2].map((at) => flopsUpTo(model, at))).toEqual([11, 32, 63]);
    expect(flopsUpTo(model, 1, true)).toBe(33);
  });
});
