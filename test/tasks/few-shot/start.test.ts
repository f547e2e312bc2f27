import { afterAll, beforeAll, expect, it } from 'vitest';
import { Random } from '../../../src/data/random.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import type { Sample } from '../../../src/engine/types.ts';
import { livelyWeights, smallMaml, startSmallEngine, writeModels } from '../../support/small.ts';

const byStep = smallMaml();
const byStart = smallMaml({ depth: 2, exits: [0, 1, 2] });
const random = new Random(4);
const images = (n: number): Sample[string] => ({
  data: Float32Array.from({ length: n * 64 }, () => random.uniform()),
  dims: [n, 1, 8, 8],
});
const sample: Sample = {
  support: images(4),
  labels: { data: Float32Array.of(1, 0, 0, 1, 1, 0, 0, 1), dims: [4, 2] },
  query: images(3),
};

let engine: Engine;
beforeAll(async () => {
  const weights = livelyWeights(byStep);
  const shared = new Map(livelyWeights(byStart));
  for (const [name, values] of weights) if (!name.startsWith('policy')) shared.set(name, values);
  engine = await startSmallEngine({
    modelsDir: await writeModels([
      { name: 'by-step', family: byStep, weights },
      { name: 'by-start', family: byStart, weights: shared },
    ]),
  });
});
afterAll(() => engine.close());

const answer = async (model: string, depth: number) => {
  const { samples } = await engine.run(model, [sample], {
    rule: 'fixed',
    depth,
    deadlineMs: 600_000,
  });
  return samples[0]!;
};

it('where the start is exit 0, depth counts the steps after it, and the answers are the same', async () => {
  for (const depth of byStart.exits) {
    const found = await answer('by-start', depth);
    expect(found.depth).toBe(depth);
    expect(found.outputs.logits).toEqual((await answer('by-step', depth + 1)).outputs.logits);
  }
  const [start, last] = [await answer('by-start', 0), await answer('by-start', 2)];
  expect(start.outputs.logits!.data).not.toEqual(last.outputs.logits!.data);
});

it('the policy may stop at the start', async () => {
  const { samples } = await engine.run('by-start', [sample], { rule: 'threshold', threshold: 0 });
  expect(samples[0]).toMatchObject({ depth: 0, reason: 'policy' });
  expect(samples[0]!.pi).toHaveLength(1);
});
