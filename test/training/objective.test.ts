import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { input } from '../../src/graph/operators.ts';
import { oracle, stopTime } from '../../scripts/paper/distribution.ts';
import {
  columns,
  forwardKl,
  joint,
  logMulticlass,
  logOracle,
  logPriorInput,
  logStopTime,
  reverseKl,
  stageOne,
} from '../../src/training/objective.ts';
import { evaluate, expectClose } from '../graph/check.ts';

const finite = (min: number, max: number) => fc.double({ min, max, noNaN: true });

describe('objectives against the same formulas in plain numbers', () => {
  it('stage I is the negative log marginal likelihood, the oracle its posterior', async () => {
    const losses = input('losses', [1, 4]);
    const prior = logPriorInput(4);
    const one = stageOne(losses, 0.5, prior);
    const log = logOracle(losses, 0.5, prior);
    await fc.assert(
      fc.asyncProperty(
        fc.array(finite(-3, 3), { minLength: 4, maxLength: 4 }),
        finite(0, 2),
        async (values, lambda) => {
          const costs = [0.25, 0.5, 0.75, 1];
          const feeds = {
            losses: Float32Array.from(values),
            'log-prior': Float32Array.from(costs, (cost) => -lambda * cost),
          };
          const result = await evaluate({ one, log }, feeds, { losses: [1, 4], 'log-prior': [4] });
          const joint = values.map((loss, t) => Math.exp(-loss / 0.5 - lambda * costs[t]!));
          expectClose(result.one!.data, [-0.5 * Math.log(joint.reduce((a, b) => a + b))], 1e-4);
          expectClose(
            result.log!.data.map(Math.exp),
            oracle(values, { beta: 0.5, lambda, costs }),
            1e-4,
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  it('the stop-time distribution and both divergences', async () => {
    const logits = [0, 1, 2].map((i) => input(`l${i}`, [1]));
    const target = input('target', [1, 4]);
    const logQ = logStopTime(logits);
    const outputs = { logQ, forward: forwardKl(target, logQ), reverse: reverseKl(target, logQ) };
    await fc.assert(
      fc.asyncProperty(
        fc.array(finite(-4, 4), { minLength: 3, maxLength: 3 }),
        fc.array(finite(-2, 2), { minLength: 4, maxLength: 4 }),
        async (l, losses) => {
          const q = stopTime(l.map((x) => 1 / (1 + Math.exp(-x))));
          const star = oracle(losses);
          const feeds = {
            ...Object.fromEntries(l.map((x, i) => [`l${i}`, Float32Array.of(x)])),
            target: Float32Array.from(star, Math.log),
          };
          const result = await evaluate(outputs, feeds, {
            l0: [1],
            l1: [1],
            l2: [1],
            target: [1, 4],
          });
          expectClose(result.logQ!.data.map(Math.exp), q, 1e-5);
          expectClose(
            result.forward!.data,
            [-star.reduce((sum, p, t) => sum + p * Math.log(q[t]!), 0)],
            1e-4,
          );
          expectClose(
            result.reverse!.data,
            [q.reduce((sum, p, t) => sum + p * Math.log(p / star[t]!), 0)],
            1e-4,
          );
        },
      ),
      { numRuns: 20 },
    );
    expect(logQ.shape).toEqual([1, 4]);
  });

  it('the bound of both stages together, and a choice among all exits at once', async () => {
    const leaves = [0, 1, 2].map((i) => input(`l${i}`, [1]));
    const losses = [0, 1, 2, 3].map((i) => input(`e${i}`, [1]));
    const bound = joint(columns(losses), 0.5, logPriorInput(4), logStopTime(leaves));
    const logits = [0.3, -1, 2];
    const errors = [3, 2, 1.5, 1.4];
    const prior = [-0.25, -0.5, -0.75, -1];
    const feeds = {
      ...Object.fromEntries(logits.map((x, i) => [`l${i}`, Float32Array.of(x)])),
      ...Object.fromEntries(errors.map((x, i) => [`e${i}`, Float32Array.of(x)])),
      'log-prior': Float32Array.from(prior),
    };
    const dims = Object.fromEntries(
      Object.entries(feeds).map(([name, { length }]) => [name, [length]]),
    );
    const result = await evaluate({ bound, all: logMulticlass(leaves) }, feeds, dims);
    const q = stopTime(logits.map((x) => 1 / (1 + Math.exp(-x))));
    expectClose(
      result.bound!.data,
      [q.reduce((sum, p, t) => sum + p * (errors[t]! / 0.5 - prior[t]! + Math.log(p)), 0)],
      1e-5,
    );
    const powers = [...logits, 0].map(Math.exp);
    const sum = powers.reduce((a, b) => a + b);
    expectClose(
      result.all!.data,
      powers.map((power) => Math.log(power / sum)),
      1e-5,
    );
  });
});
