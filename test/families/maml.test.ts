import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import type { Sample } from '../../src/engine/types.ts';
import { leavesOf, type Family } from '../../src/families/family.ts';
import { toModel } from '../../src/graph/model.ts';
import { sigmoid } from '../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { unroll } from '../../src/training/unroll.ts';
import { toConstants, type Weights } from '../../src/training/weights.ts';
import { expectClose } from '../graph/check.ts';
import {
  livelyWeights,
  smallFewShot,
  smallMaml,
  startSmallEngine,
  writeModels,
} from '../support/small.ts';
import { feedsOf, images, SIDE, task, type Task } from './few-shot-task.ts';

/** What the whole path answers after every step, and π; compiled once for a family and its weights. */
async function compile(
  family: Family,
  weights: Weights,
): Promise<(of: Task) => Promise<{ logits: Float32Array[]; pi: number[] }>> {
  const inputs = leavesOf(family.inputs);
  const { outputs, logits } = unroll(family, inputs);
  const named = Object.fromEntries([
    ...outputs.map(({ logits: value }, i) => [`logits-${i}`, value!] as const),
    ...logits.map((value, i) => [`pi-${i}`, sigmoid(value)] as const),
  ]);
  const session = await Session.load(
    toModel({
      outputs: named,
      weights: toConstants(weights),
    }),
  );
  return async (of) => {
    const [feeds, dims] = feedsOf(of);
    const found = await session.run(
      Object.fromEntries(
        Object.entries(feeds).map(([name, data]) => [name, tensor(data, dims[name]!)]),
      ),
    );
    return {
      logits: outputs.map((_, i) => floats(found[`logits-${i}`]!)),
      pi: logits.map((_, i) => floats(found[`pi-${i}`]!)[0]!),
    };
  };
}

const family = smallMaml();
let answer: Awaited<ReturnType<typeof compile>>;
beforeAll(async () => {
  answer = await compile(family, livelyWeights(family));
});

describe('a gradient step as a layer', () => {
  it('begins as a classifier by nearest class mean, whatever the number of classes', async () => {
    // Each query is the whole support of its own class: its feature is the class mean.
    const { logits } = await answer({
      support: task.query,
      classes: [0, 1, 2, 3],
      ways: 4,
      query: task.query,
    });
    const [first] = logits;
    expect(Math.max(...first!)).toBeGreaterThan(0.1);
    for (let q = 0; q < 4; q++) {
      const row = first!.slice(4 * q, 4 * q + 4);
      expect(Math.max(...row) - row[q]!).toBeLessThan(1e-5);
      // A zero head sees every class against the mean of all: the scores of each query sum to zero.
      expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 4);
    }
  });

  it('answers a query whatever other queries came along', async () => {
    const { logits: together } = await answer(task);
    for (let q = 0; q < 4; q++) {
      const { logits: alone } = await answer({
        ...task,
        query: task.query.slice(q * SIDE ** 2, (q + 1) * SIDE ** 2),
      });
      for (const [t, logits] of together.entries())
        expectClose(alone[t]!, logits.slice(3 * q, 3 * q + 3), 1e-4);
    }
  });

  it('weighs classes the same, however many images each has', async () => {
    const image = (i: number): number[] => [
      ...task.support.subarray(i * SIDE ** 2, (i + 1) * SIDE ** 2),
    ];
    const support = Float32Array.from([0, 0, 0, 1].flatMap(image));
    const { logits } = await answer({ support, classes: [0, 0, 0, 1], ways: 2, query: task.query });
    for (let q = 0; q < 4; q++)
      expect(logits[0]![2 * q]! + logits[0]![2 * q + 1]!).toBeCloseTo(0, 4);
  });
});

describe('served', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startSmallEngine({ modelsDir: await writeModels([smallFewShot()]) });
  });
  afterAll(() => engine.close());

  const sampleOf = (of: Task): Sample => {
    const [feeds, dims] = feedsOf(of);
    return Object.fromEntries(
      Object.entries(feeds).map(([name, data]) => [name, { data, dims: dims[name]!.slice(1) }]),
    );
  };

  it('the answer is that of the training graph at every step, for any number of classes and images', async () => {
    const other: Task = { support: images(5), classes: [3, 0, 1, 2, 1], ways: 4, query: images(2) };
    for (const of of [task, other]) {
      const expected = await answer(of);
      for (const [i, depth] of family.exits.entries()) {
        const { samples } = await engine.run('small-few-shot', [sampleOf(of)], {
          rule: 'fixed',
          depth,
          deadlineMs: 600_000,
        });
        expect(samples[0]!.depth).toBe(depth);
        expectClose(samples[0]!.outputs.logits!.data, expected.logits[i]!, 1e-4);
        samples[0]!.pi.forEach((value, t) => expect(value).toBeCloseTo(expected.pi[t]!, 4));
      }
    }
  });
});
