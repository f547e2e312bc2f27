import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { adaptivityGain, timeRatio } from '../../src/evaluation/gain.ts';
import { psnr } from '../../src/evaluation/metrics.ts';
import type { TracedRequest } from '../../src/evaluation/regret.ts';

const DEPTHS = [0, 4, 8, 12];
const MS = [0.1, 4, 8, 12];

interface Mix {
  /** Share of the requests that need each exit. */
  readonly needs: readonly number[];
  /** π at an exit that is not good enough yet. */
  readonly early: () => number;
  /** The statistic of a request that needs this exit. */
  readonly statistic?: (need: number) => number;
  /** Loss beyond the needed exit, dB for each. */
  readonly harm?: number;
}

function draw(
  part: string,
  n: number,
  { needs, early, statistic, harm = 0 }: Mix,
): TracedRequest[] {
  const random = new Random(n);
  return Array.from({ length: n }, (_, i) => {
    let u = random.uniform();
    const need = needs.findIndex((share) => (u -= share) < 0);
    return {
      source: `${part}${i}`,
      input: 30,
      quality: DEPTHS.map((_, t) => (t < need ? 30 + t : 40 - harm * (t - need))),
      ms: MS,
      pi: [0, 1, 2].map((t) => (t < need ? early() : 0.9)),
      ...(statistic && { statistic: statistic(need) }),
    };
  });
}

const gainOf = (mix: Mix): ReturnType<typeof adaptivityGain> =>
  adaptivityGain(
    {
      selection: draw('s', 1_000, mix),
      certification: draw('c', 2_000, mix),
      test: draw('t', 1_500, mix),
    },
    0.1,
    { metric: psnr, depths: DEPTHS },
  );

const NEEDS = [0.25, 0.25, 0.25, 0.25];

describe('adaptivityGain', () => {
  it('is the time of the fixed depth over that of a policy that knows', () => {
    const result = gainOf({ needs: NEEDS, early: () => 0.1, statistic: (need) => need });
    expect(result.reference!.rule.name).toBe('exit 3');
    expect(result.policy!.rule.kind).toBe('threshold');
    // 12 ms over the mean of 0.1, 4, 8 and 12.
    expect(result.gain!.value).toBeCloseTo(12 / 6.025, 1);
    expect(result.gain!.low).toBeLessThan(12 / 6.025);
    expect(result.gain!.high).toBeGreaterThan(12 / 6.025);
    expect(result.oracleGain!.value).toBeGreaterThanOrEqual(result.gain!.value * 0.999);
    expect(result.oracle).toMatchObject({ share: 1, harm: 0 });
    expect(result.policy!.figures.share).toBeGreaterThan(0.95);
    expect(result.policy!.bound).toBeGreaterThanOrEqual(0.95);
  });

  it('says that the statistic is as good as the policy where it is', () => {
    const both = gainOf({ needs: NEEDS, early: () => 0.1, statistic: (need) => need });
    expect(both.overLookup!.low).toBeLessThanOrEqual(1.001);
    expect(both.overLookup!.high).toBeGreaterThanOrEqual(0.999);
    const blind = gainOf({ needs: NEEDS, early: () => 0.1, statistic: () => 7 });
    expect(blind.lookup!.figures.ms).toBe(12);
    expect(blind.overLookup!.low).toBeGreaterThan(1.8);
  });

  it('refers to a gate where every depth harms some', () => {
    const harmful = { needs: [0.5, 0, 0, 0.5], early: () => 0.1, harm: 1 };
    const gated = gainOf({ ...harmful, statistic: (need) => need });
    expect(gated.reference!.rule).toMatchObject({ kind: 'gate', exit: 3 });
    expect(gated.gain!.value).toBeCloseTo(1, 1);

    const unsafe = gainOf({ ...harmful, statistic: () => 7 });
    expect(unsafe.reference).toBeNull();
    expect(unsafe.gain).toBeNull();
    expect(unsafe.bestShare).toBeCloseTo(0.5, 1);
    expect(unsafe.policy!.figures.share).toBe(1);
  });

  it('gives no gain for a policy that is not safe, and none to lookups without a statistic', () => {
    const mix: Mix = { needs: [0.5, 0.5], early: () => 0.95, harm: 1 };
    const parts = {
      selection: draw('s', 500, mix),
      certification: draw('c', 2_000, mix),
      test: draw('t', 500, mix),
    };
    const result = adaptivityGain(parts, 0.1, { metric: psnr, depths: DEPTHS });
    expect(result).toMatchObject({ policy: null, lookup: null, gain: null, overLookup: null });
    expect(() =>
      adaptivityGain({ ...parts, test: parts.selection }, 0.1, { metric: psnr, depths: DEPTHS }),
    ).toThrow(/s0/);
  });
});

describe('timeRatio', () => {
  const outcomes = (times: number[]) => times.map((ms) => ({ quality: 30, ms, depth: 1 }));
  const requests = (sources: string[]): TracedRequest[] =>
    sources.map((source) => ({ source, quality: [], ms: [], pi: [] }));

  it('is sure of itself where every pair has the same ratio', () => {
    const ratio = timeRatio(requests(['a', 'b', 'c']), outcomes([2, 4, 6]), outcomes([1, 2, 3]));
    expect(ratio).toEqual({ value: 2, low: 2, high: 2 });
  });

  it('counts the draws of one source as one', () => {
    // Residuals 1, −1, 1, −1 around the ratio of 2; by source they cancel, or do not.
    const pair = [outcomes([3, 1, 3, 1]), outcomes([1, 1, 1, 1])] as const;
    const half = 1.96 * Math.sqrt((4 * 4) / 3 / 16);
    const apart = timeRatio(requests(['a', 'b', 'c', 'd']), ...pair);
    expect(apart.high - apart.value).toBeCloseTo(half, 10);
    expect(timeRatio(requests(['a', 'a', 'b', 'b']), ...pair).high).toBe(2);
    const alike = timeRatio(requests(['a', 'b', 'a', 'b']), ...pair);
    expect(alike.high - alike.value).toBeCloseTo(1.96 * Math.sqrt((8 * 2) / 16), 10);
  });
});
