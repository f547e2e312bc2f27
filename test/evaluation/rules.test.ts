import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { psnr } from '../../src/evaluation/metrics.ts';
import { regretCriterion, type TracedRequest } from '../../src/evaluation/regret.ts';
import {
  chooseRules,
  exitOf,
  exitOutcome,
  fixedRule,
  gateRule,
  gateRules,
  lookupRule,
  lookupRules,
  policyRules,
  thresholdRule,
} from '../../src/evaluation/rules.ts';

const base: TracedRequest = {
  source: 'a',
  quality: [30, 31, 32],
  ms: [1, 2, 3],
  pi: [0.2, 0.8],
};

describe('exitOf', () => {
  it('stops at the first π above the threshold, else at the last exit', () => {
    const exits = [0.1, 0.2, 0.5, 0.8, 1].map((tau) => exitOf(thresholdRule(tau), base));
    expect(exits).toEqual([0, 1, 1, 2, 2]);
  });

  it('gates and looks up by the statistic', () => {
    expect(exitOf(fixedRule(1), base)).toBe(1);
    expect([5, 5.1].map((below) => exitOf(gateRule(below, 2), { ...base, statistic: 5 }))).toEqual([
      2, 0,
    ]);
    const lookup = lookupRule([3, 5, 8], [0, 1, 2, 1]);
    const at = (statistic: number): number => exitOf(lookup, { ...base, statistic });
    expect([0, 3, 4.9, 5, 7, 8, 99].map(at)).toEqual([0, 1, 1, 2, 2, 1, 1]);
  });

  it('refuses a request without the statistic', () => {
    expect(() => exitOf(gateRule(1, 2), base)).toThrow(/statistic.*a/);
  });
});

const outcomeOf = exitOutcome([4, 8, 12]);

describe('policyRules', () => {
  const random = new Random(1);
  const selection = Array.from({ length: 500 }, () => ({
    ...base,
    pi: [random.uniform() ** 9, random.uniform()],
  }));

  it('takes thresholds from the quantiles of π', () => {
    const thresholds = policyRules(selection).flatMap((rule) =>
      rule.kind === 'threshold' ? [rule.threshold] : [],
    );
    expect(thresholds).toHaveLength(1_000);
    // Half of the π are below 0.1, so are their quantiles.
    const low = thresholds.filter((tau) => tau < 0.1).length;
    const share = selection.flatMap(({ pi }) => pi).filter((pi) => pi < 0.1).length / 1_000;
    expect(low / 1_000).toBeCloseTo(share, 1);
    expect(policyRules(selection, []).map(({ name }) => name)).toEqual([
      'exit 0',
      'exit 1',
      'exit 2',
    ]);
  });
});

describe('chooseRules', () => {
  /** Needs exit 1 with 30 %, exit 2 with 3 %; exit 3 is as good as exit 2 and slower, exit 4 harms one in ten. */
  const random = new Random(2);
  const selection = Array.from({ length: 1_000 }, (_, i): TracedRequest => {
    const need = i % 100 < 67 ? 0 : i % 100 < 97 ? 1 : 2;
    const quality = [0, 1, 2, 3].map((t) => (t < need ? 30 : 40));
    const pi = [0, 1, 2, 3].map((t) => (t < need ? random.uniform() : 0.9 + random.uniform() / 10));
    return { ...base, quality: [...quality, i % 10 === 0 ? 20 : 40], pi, ms: [1, 2, 3, 4, 5] };
  });
  const criterion = regretCriterion(0.1, psnr);
  const outcomeOf = exitOutcome([1, 2, 3, 4, 5]);

  it('drops what is beaten or misses the limit, and begins with the safest', () => {
    const fixed = chooseRules(policyRules(selection, []), selection, criterion, outcomeOf);
    expect(fixed.map(({ rule, loss, ms }) => [rule.name, loss, ms])).toEqual([
      ['exit 3', 0, 4],
      ['exit 2', 0, 3],
      ['exit 1', 0.03, 2],
    ]);
  });

  it('keeps at most 20, from the slowest to the fastest within the limit, without a wide gap', () => {
    const chosen = chooseRules(policyRules(selection), selection, criterion, outcomeOf);
    expect(chosen).toHaveLength(20);
    const times = chosen.map(({ ms }) => ms);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    const losses = chosen.map(({ loss }) => loss);
    expect(losses).toEqual([...losses].sort((a, b) => a - b));
    expect(losses.at(-1)).toBeGreaterThan(0.04);
    const gaps = times.slice(1).map((ms, i) => times[i]! - ms);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1);
  });

  it('puts the safest forward where none is within the limit', () => {
    const rules = [fixedRule(0), fixedRule(4)];
    const chosen = chooseRules(rules, selection, criterion, outcomeOf);
    expect(chosen.map(({ rule }) => rule.name)).toEqual(['exit 4']);
  });
});

describe('rules without a policy', () => {
  /** A request needs the exit that its statistic says: 0 below 10, 1 below 20, else 2. */
  const selection = Array.from({ length: 300 }, (_, i): TracedRequest => {
    const need = Math.floor(i / 100);
    return { ...base, statistic: i / 10, quality: [0, 1, 2].map((t) => (t < need ? 30 : 40)) };
  });
  const criterion = regretCriterion(0.1, psnr);

  it('looks the needed exit up', () => {
    const rules = lookupRules(selection, criterion, outcomeOf);
    const [best] = chooseRules(rules, selection, criterion, outcomeOf).slice(-1);
    expect(best!.loss).toBeLessThanOrEqual(0.05);
    expect(best!.ms).toBeLessThanOrEqual(2.05);
  });

  it('tries every gate', () => {
    const rules = gateRules(selection);
    const [best] = chooseRules(rules, selection, criterion, outcomeOf).slice(-1);
    expect(best!.rule).toMatchObject({ kind: 'gate', exit: 2 });
    // Exit 0 for the third that needs no more, and for the 5 % that may fail.
    expect(best!.ms).toBeCloseTo(3 - 2 * (0.333 + 0.05), 1);
  });
});
