import { expect, it } from 'vitest';
import { toModel } from '../../src/graph/model.ts';
import { input } from '../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { columns, gainEntropy, logPriorInput } from '../../src/training/objective.ts';

it('is the cross-entropy of π to the sign of the best gain of going on, less its price', async () => {
  const losses = [0, 1, 2].map((t) => input(`loss-${t}`, ['N']));
  const logits = [0, 1].map((t) => input(`logit-${t}`, ['N']));
  const [beta, lambda] = [0.5, 0.3];
  const costs = [0.2, 0.6, 1];
  const session = await Session.load(
    toModel({ outputs: { loss: gainEntropy(columns(losses), beta, logPriorInput(3), logits) } }),
  );
  // The second sample gets worse at its second exit and best at its third.
  const given = [
    { losses: [-10, -12, -12.05], logits: [0.3, 1.1] },
    { losses: [-20, -18, -20.4], logits: [-0.4, 2] },
  ];
  const vector = (values: readonly number[]) => tensor(Float32Array.from(values), [values.length]);
  const { loss } = await session.run({
    ...Object.fromEntries([0, 1, 2].map((t) => [`loss-${t}`, vector(given.map((g) => g.losses[t]!))])), // prettier-ignore
    ...Object.fromEntries([0, 1].map((t) => [`logit-${t}`, vector(given.map((g) => g.logits[t]!))])), // prettier-ignore
    'log-prior': vector(costs.map((cost) => (-lambda / beta) * cost)),
  });
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  const terms = given.flatMap((one) =>
    one.logits.map((logit, t) => {
      const gains = [1, 2].filter((s) => s > t).map((s) => one.losses[t]! - one.losses[s]! - lambda * (costs[s]! - costs[t]!)); // prettier-ignore
      const stop = sigmoid(-Math.max(...gains) / beta);
      const pi = sigmoid(logit);
      return -(stop * Math.log(pi) + (1 - stop) * Math.log(1 - pi));
    }),
  );
  const expected = terms.reduce((a, b) => a + b) / terms.length;
  expect(floats(loss!)[0]).toBeCloseTo(expected, 5);
});
