import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { certify, fixedSequence } from '../../src/evaluation/certify.ts';
import { accuracy, nmse, psnr } from '../../src/evaluation/metrics.ts';
import type { TracedRequest } from '../../src/evaluation/regret.ts';
import { exitOutcome, type OutcomeOf } from '../../src/evaluation/rules.ts';

const DEPTHS = [0, 4, 8, 12];
const MS = [1, 5, 9, 13];

/**
 * At exit 0 every request loses 1 dB, at the second `share` of them loses 0.3 dB, later none; π tells nothing.
 * @param draws requests of one source, which lose together
 */
function traffic(part: string, n: number, share: number, draws = 1): TracedRequest[] {
  const random = new Random(n);
  return Array.from({ length: n }, (_, i) => ({
    source: `${part}${Math.floor(i / draws)}`,
    quality: [29, Math.floor(i / draws) % 500 < 500 * share ? 29.7 : 30, 30, 30],
    ms: MS,
    pi: [random.uniform() / 1e3, random.uniform() / 1e3, random.uniform() / 1e3],
  }));
}

const options = { metric: psnr, depths: DEPTHS, thresholds: [] };

describe('fixedSequence', () => {
  it('tests nothing after the first that does not pass', () => {
    const results = fixedSequence([0.01, 0.05, 0.06, 0], (p) => ({ p, passed: p <= 0.05 }));
    expect(results.map(({ p }) => p)).toEqual([0.01, 0.05, 0.06]);
  });
});

describe('certify', () => {
  it('gives a row for every tolerance of the task', () => {
    const rows = certify(traffic('s', 500, 0.01), traffic('c', 2_000, 0.01), options).map(
      ({ row }) => row,
    );
    expect(rows.map(({ tolerance }) => tolerance)).toEqual([0.05, 0.1, 0.2, 0.5]);
    expect(rows[0]).toMatchObject({ guaranteed: true, threshold: null, depth: 4, n: 2_000 });
    expect(rows[0]).toMatchObject({ mean_depth: 4, ms: 5, share: 0.99 });
    // 1 − the Clopper–Pearson bound of 20 in 2,000.
    expect(rows[0]!.bound).toBeCloseTo(1 - 0.014498062606977, 8);
    expect(rows[3]!.share).toBe(1);
  });

  it('takes the deeper exit where the cheaper one is not safe, and says so as a threshold', () => {
    const [certificate] = certify(traffic('s', 500, 0.04), traffic('c', 2_000, 0.045), {
      ...options,
      tolerances: [0.2],
    });
    expect(certificate!.tested.map(({ rule, passed }) => [rule.name, passed])).toEqual([
      ['exit 3', true],
      ['exit 2', true],
      ['exit 1', false],
    ]);
    expect(certificate!.row).toMatchObject({ guaranteed: true, depth: 8, mean_depth: 8, ms: 9 });
    const deepest = traffic('c', 2_000, 0).map((r) => ({ ...r, quality: [29, 29, 29, 30] }));
    const onlyLast = certify(traffic('s', 500, 0), deepest, options)[0]!;
    // On selection exit 1 is as good as the last: the sequence still begins with the last.
    expect(onlyLast.row).toMatchObject({ threshold: 1, mean_depth: 12, guaranteed: true });
    expect(onlyLast.row.depth).toBeUndefined();
  });

  it('guarantees nothing where no rule passes, and shows the safest', () => {
    const harmful = (part: string, n: number): TracedRequest[] =>
      traffic(part, n, 0).map((request, i) => ({
        ...request,
        quality: i % 2 ? [29, 30, 29.8, 29] : [30, 29.9, 29.5, 29],
      }));
    const { row, rule } = certify(harmful('s', 500), harmful('c', 2_000), {
      ...options,
      tolerances: [0.05],
    })[0]!;
    expect(rule).toBeNull();
    expect(row).toMatchObject({ threshold: null, guaranteed: false, share: 0.5, n: 2_000 });
    expect(row.bound).toBeLessThan(0.5);
  });

  it('takes the best single exit of a classifier where a policy that looked better is not', () => {
    // π tells on selection where the first exit is right, and says the opposite on certification.
    const classified = (part: string, stopsWhereRight: boolean): TracedRequest[] =>
      Array.from({ length: 1_000 }, (_, i) => ({
        source: `${part}${i}`,
        quality: [i % 2 ? 100 : 0, i % 5 ? 100 : 0],
        ms: [1, 2],
        pi: [(i % 2 === 1) === stopsWhereRight ? 0.9 : 0.1],
      }));
    const { row, tested } = certify(classified('s', true), classified('c', false), {
      metric: accuracy,
      depths: [1, 2],
      thresholds: [0.5],
      tolerances: [1],
    })[0]!;
    expect(row).toMatchObject({ guaranteed: true, threshold: 1, mean_depth: 2, share: 0 });
    expect(tested.map(({ passed }) => passed)).toEqual([true, false]);
  });

  it('needs 2,000 independent requests, or 100 sources with several', () => {
    const guaranteed = (certification: TracedRequest[]): (boolean | number)[] => {
      const [first] = certify(traffic('s', 500, 0), certification, options);
      return [first!.row.n, first!.row.guaranteed];
    };
    expect(guaranteed(traffic('c', 1_999, 0))).toEqual([1_999, false]);
    expect(guaranteed(traffic('c', 2_000, 0))).toEqual([2_000, true]);
    expect(guaranteed(traffic('c', 990, 0, 10))).toEqual([99, false]);
    expect(guaranteed(traffic('c', 1_000, 0, 10))).toEqual([100, true]);
  });

  it('counts sources, not their draws', () => {
    // 3 of 100 sources fail in all of their draws: 60 of 2,000 independent requests would pass.
    const failing = traffic('c', 2_000, 0.03);
    const units = failing.map((r, i) => ({ ...r, source: `c${i % 100}` }));
    const together = units.map((r) => ({
      ...r,
      quality: Number(r.source.slice(1)) < 3 ? [29, 29.7, 30, 30] : [29, 30, 30, 30],
    }));
    const depth = (certification: TracedRequest[]): number =>
      certify(traffic('s', 500, 0), certification, options)[0]!.row.mean_depth;
    expect(depth(failing)).toBe(4);
    expect(depth(together)).toBe(8);
  });

  it('does not depend on the order of the requests', () => {
    const certification = traffic('c', 1_200, 0.02, 4);
    const bound = (list: TracedRequest[]): number =>
      certify(traffic('s', 500, 0), list, options)[0]!.row.bound;
    expect(bound([...certification].reverse())).toBe(bound(certification));
  });

  it('takes outcomes of their own: tiles that leave at different exits', () => {
    const outcomeOf: OutcomeOf<TracedRequest> = (request, rule) =>
      rule.kind === 'threshold'
        ? { quality: 30, ms: 3, depth: 2.5 }
        : exitOutcome(DEPTHS)(request, rule);
    const { row } = certify(traffic('s', 500, 0), traffic('c', 2_000, 0), {
      ...options,
      thresholds: [0.7],
      outcomeOf,
    })[0]!;
    expect(row).toMatchObject({ threshold: 0.7, ms: 3, mean_depth: 2.5, guaranteed: true });
  });

  it('follows the direction of NMSE', () => {
    const negative = (list: TracedRequest[]): TracedRequest[] =>
      list.map((request) => ({ ...request, quality: request.quality.map((dB) => -dB) }));
    const parts = [negative(traffic('s', 500, 0.01)), negative(traffic('c', 2_000, 0.01))] as const;
    expect(certify(...parts, { ...options, metric: nmse })[0]!.row).toMatchObject({ depth: 4 });
  });

  it('refuses parts that share a source', () => {
    const shared = [...traffic('c', 2_000, 0), ...traffic('s', 1, 0)];
    expect(() => certify(traffic('s', 10, 0), shared, options)).toThrow(/s0.*selection.*certif/);
    expect(() => certify(traffic('s', 10, 0), [], options)).toThrow(/certification/);
  });

  it('certifies a rule with a true risk of 1 % in most draws of 2,000 requests', () => {
    const random = new Random(5);
    const selection = traffic('s', 200, 0);
    const certified = Array.from({ length: 50 }, () => {
      const certification = traffic('c', 2_000, 0).map((request) => ({
        ...request,
        quality: [29, random.uniform() < 0.01 ? 29 : 30, 30, 30],
      }));
      return (
        certify(selection, certification, { ...options, tolerances: [0.2] })[0]!.row.depth === 4
      );
    });
    expect(certified.filter(Boolean).length).toBeGreaterThan(45);
  });

  it('certifies it in most draws of 130 images with six noise draws each', () => {
    const random = new Random(6);
    const selection = traffic('s', 200, 0);
    const certified = Array.from({ length: 100 }, () => {
      let rate = 0;
      const certification = traffic('c', 780, 0, 6).map((request, i) => {
        // One image in 20 fails in a fifth of its draws.
        if (i % 6 === 0) rate = random.uniform() < 0.05 ? 0.2 : 0;
        return { ...request, quality: [29, random.uniform() < rate ? 29 : 30, 30, 30] };
      });
      return (
        certify(selection, certification, { ...options, tolerances: [0.2] })[0]!.row.depth === 4
      );
    });
    expect(certified.filter(Boolean).length).toBeGreaterThan(80);
  });
});

describe('certify, accuracy', () => {
  /** Correct at exit t for a share `shares[t]` of the requests, nested. */
  const labelled = (part: string, n: number, shares: number[]): TracedRequest[] =>
    traffic(part, n, 0).map((request, i) => ({
      ...request,
      quality: shares.map((share) => ((i * 0.6180339887) % 1 < share ? 100 : 0)),
    }));
  const SHARES = [0.5, 0.697, 0.7, 0.69];
  const rowsOf = (n: number): ReturnType<typeof certify> =>
    certify(labelled('s', 500, SHARES), labelled('c', n, SHARES), { ...options, metric: accuracy });

  it('compares with the best exit: deeper is not better', () => {
    const rows = rowsOf(5_000).map(({ row }) => row);
    expect(rows.map(({ tolerance }) => tolerance)).toEqual([0.5, 1, 2]);
    expect(rows.map(({ depth }) => depth)).toEqual([8, 4, 4]);
    expect(rows[1]!.share).toBeCloseTo(-0.3, 1);
    expect(rows[1]!.bound).toBeLessThan(rows[1]!.share);
    expect(rows[1]!.bound).toBeGreaterThanOrEqual(-1);
  });

  it('certifies the exit compared with on few requests, for it loses nothing to itself', () => {
    const [first] = rowsOf(50);
    expect(first!.row).toMatchObject({ depth: 8, guaranteed: true, share: 0, bound: 0, n: 50 });
  });

  it('does not where the answers are those of another variant', () => {
    const variant = (list: TracedRequest[]): TracedRequest[] =>
      list.map((request) => ({ ...request, float: request.quality }));
    const [first] = certify(
      variant(labelled('s', 500, SHARES)),
      variant(labelled('c', 50, SHARES)),
      { ...options, metric: accuracy },
    );
    expect(first!.row.guaranteed).toBe(false);
  });
});
