import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leavesOf, type Values } from '../../src/families/family.ts';
import { gradient } from '../../src/graph/gradient.ts';
import { toModel } from '../../src/graph/model.ts';
import { input, mul, reduceSum } from '../../src/graph/operators.ts';
import { elements } from '../../src/graph/value.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { livelyWeights, smallMaml } from '../support/small.ts';
import { feedsOf, task } from './few-shot-task.ts';

describe('the meta-gradient', () => {
  /** The sum of the last logits, weighed by a pattern; its gradients by all that is learnt; and what every step leaves. */
  async function prepare(order: 'first' | 'second') {
    const family = smallMaml({ order });
    const weights = livelyWeights(family);
    for (const [name, data] of weights)
      if (name.startsWith('rate-')) data.fill(name.endsWith('head') ? 0.3 : 0.1);
    const inputs = leavesOf(family.inputs);
    const steps: Values[] = [];
    for (let t = 1; t <= family.depth; t++)
      steps.push(family.layer(t, { ...inputs, ...steps.at(-1) }));
    const { logits } = family.decode!(family.depth, { ...inputs, ...steps.at(-1) });
    const loss = reduceSum(mul(logits!, input('pattern', [1, 'Q', 'K'])));
    const learnt = [...family.parameters].filter(([, { role }]) => role === 'model');
    const gradients = gradient(
      loss,
      learnt.map(([, { value }]) => value),
    );
    const [feeds, dims] = feedsOf(task);
    feeds.pattern = Float32Array.from({ length: 12 }, (_, i) => Math.sin(3 * i + 1));
    dims.pattern = [1, 4, 3];
    for (const [name, { value }] of learnt) {
      feeds[name] = weights.get(name)!;
      dims[name] = value.shape.map(Number);
    }
    const moved = steps.flatMap((states, i) =>
      Object.entries(states).map(([name, value]) => [`${name} ${i + 1}`, value] as const),
    );
    const whole = Object.fromEntries([
      ...moved,
      ...learnt.map(([name], i) => [`d ${name}`, gradients[i]!] as const),
    ]);
    // Differences need the loss alone, which is far less work.
    const [session, alone] = await Promise.all(
      [whole, { loss }].map((outputs) => Session.load(toModel({ outputs }))),
    );
    const run = async (session: Session): Promise<Record<string, Float32Array>> => {
      const tensors = Object.fromEntries(
        session.inputs.map(({ name }) => [name, tensor(feeds[name]!, dims[name]!)]),
      );
      return Object.fromEntries(
        Object.entries(await session.run(tensors)).map(([name, value]) => [name, floats(value)]),
      );
    };
    /** By central differences; undefined where a rectifier turns in between: no difference tells a gradient there. */
    const difference = async (name: string, k: number): Promise<number | undefined> => {
      const data = feeds[name]!;
      const original = data[k]!;
      const by = async (step: number): Promise<number> => {
        data[k] = original + step;
        const above = (await run(alone!)).loss![0]!;
        data[k] = original - step;
        const below = (await run(alone!)).loss![0]!;
        data[k] = original;
        return (above - below) / (2 * step);
      };
      const [wide, narrow] = [await by(1e-3), await by(3e-4)];
      return Math.abs(wide - narrow) < 0.02 * Math.max(1, Math.abs(wide)) ? wide : undefined;
    };
    const release = () => Promise.all([session!.release(), alone!.release()]);
    return {
      depth: family.depth,
      learnt,
      weights,
      found: await run(session!),
      difference,
      release,
    };
  }

  let prepared: Record<'first' | 'second', Awaited<ReturnType<typeof prepare>>>;
  beforeAll(async () => {
    prepared = { first: await prepare('first'), second: await prepare('second') };
  });
  afterAll(() => Promise.all(Object.values(prepared).map(({ release }) => release())));

  /** d loss / d parameters by the graph and by differences, along a few coordinates of each. */
  async function compare(
    order: 'first' | 'second',
  ): Promise<(readonly [graph: number, difference: number])[]> {
    const { learnt, found, difference } = prepared[order];
    const pairs: (readonly [number, number])[] = [];
    for (const [name, { value }] of learnt) {
      const count = elements(value.shape);
      for (const k of new Set([0, Math.floor(count / 3), Math.floor((2 * count) / 3)])) {
        const expected = await difference(name, k);
        if (expected !== undefined) pairs.push([found[`d ${name}`]![k]!, expected]);
      }
    }
    return pairs;
  }

  const errors = (pairs: readonly (readonly [number, number])[]): number[] =>
    pairs.map(
      ([graph, difference]) => Math.abs(graph - difference) / Math.max(1, Math.abs(difference)),
    );

  it('of second order is that of the whole path, by finite differences', async () => {
    const pairs = await compare('second');
    expect(pairs.length).toBeGreaterThan(40);
    expect(Math.max(...pairs.map(([, difference]) => Math.abs(difference)))).toBeGreaterThan(0.5);
    expect(Math.max(...errors(pairs))).toBeLessThan(0.03);
  });

  it('of first order leaves the curvature out', async () => {
    expect(Math.max(...errors(await compare('first')))).toBeGreaterThan(0.1);
  });

  /**
   * With θ_t = θ_{t−1} − ρ_t g_t and every g_t held, ∂θ_T/∂θ_0 = 1 and ∂θ_T/∂ρ_t = −g_t: the gradient by a step size is the
   * inner product of −g_t with that by θ_0. By θ_T itself no step is differentiated, so the last step sizes tell it in any order.
   */
  const byStepSizes = async (order: 'first' | 'second') => {
    const { depth, learnt, weights, found, difference } = prepared[order];
    const pairs: (readonly [graph: number, expected: number])[] = [];
    const last: (readonly [graph: number, expected: number])[] = [];
    for (const [name] of learnt.filter(([key]) => /^(kernel|scale|shift)/.test(key))) {
      for (let t = 2; t <= depth; t++) {
        const rate = `rate-${t}-${name}`;
        const before = t === 2 ? weights.get(name)! : found[`fast-${name} ${t - 1}`]!;
        const after = found[`fast-${name} ${t}`]!;
        const expected = found[`d ${name}`]!.reduce(
          (sum, d, k) => sum - (d * (before[k]! - after[k]!)) / weights.get(rate)![0]!,
          0,
        );
        pairs.push([found[`d ${rate}`]![0]!, expected]);
        const measured = t === depth ? await difference(rate, 0) : undefined;
        if (measured !== undefined) last.push([found[`d ${rate}`]![0]!, measured]);
      }
    }
    return { pairs, last };
  };

  /** The largest difference, relative to the largest value. */
  const apart = (pairs: readonly (readonly [number, number])[]): number =>
    Math.max(...pairs.map(([a, b]) => Math.abs(a - b))) /
    Math.max(...pairs.map(([, b]) => Math.abs(b)));

  it('of first order is the analytic one: every step carries the gradient over as it is', async () => {
    const { pairs, last } = await byStepSizes('first');
    expect(pairs).toHaveLength(24);
    expect(last.length).toBeGreaterThan(6);
    expect(apart(pairs)).toBeLessThan(1e-3);
    expect(apart(last)).toBeLessThan(0.03);
    expect(apart((await byStepSizes('second')).pairs)).toBeGreaterThan(0.05);
  });
});
