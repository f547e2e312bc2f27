import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { defineSdn } from '../../src/families/sdn.ts';
import { toModel } from '../../src/graph/model.ts';
import { input } from '../../src/graph/operators.ts';
import type { Value } from '../../src/graph/value.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { lower, perSample } from '../../src/training/export.ts';
import { foldStatistics } from '../../src/training/statistics.ts';
import { unroll } from '../../src/training/unroll.ts';
import { initialWeights, toConstants } from '../../src/training/weights.ts';

const config = {
  channels: 3,
  side: 8,
  classes: 5,
  widths: [4, 6],
  blocks: [1, 2],
  exits: [1, 2, 3],
  hidden: 4,
};

function lively() {
  const network = defineSdn(config);
  const random = new Random(11);
  const weights = initialWeights(network.family, random.normal);
  for (const [name, data] of weights)
    if (/scale|shift|bias/.test(name)) random.fillNormal(data, 0.7);
  const pixels = new Float32Array(4 * 192);
  random.fillNormal(pixels);
  return { network, weights, feeds: { image: tensor(pixels, [4, 3, 8, 8]) } };
}

describe('the shallow-deep network', () => {
  it('gives the same logits once the batch statistics are folded in, also when they are folded again', async () => {
    const { network, weights, feeds } = lively();
    const image = input('image', [4, 3, 8, 8]);
    const run = async (family: typeof network.family): Promise<Float32Array[]> => {
      const outputs: Record<string, Value> = Object.fromEntries(
        unroll(family, { image }).outputs.map(({ logits }, i) => [`exit-${i}`, logits!]),
      );
      const session = await Session.load(
        toModel({
          outputs,
          weights: toConstants(weights),
        }),
      );
      const found = await session.run(feeds);
      return Object.keys(outputs).map((name) => floats(found[name]!).slice());
    };
    const close = (a: Float32Array[], b: Float32Array[]): void =>
      a.forEach((row, i) =>
        row.forEach((value, j) => expect(Math.abs(value - b[i]![j]!)).toBeLessThan(1e-3)),
      );
    const learnt = await run(network.training);
    for (let i = 0; i < 2; i++) {
      await foldStatistics(network, { image }, weights, { next: () => feeds });
      close(await run(network.family), learnt);
      close(await run(network.training), learnt);
    }
  });

  it('says what it costs and what it hands on: features of each stage by their own name, and cheap heads and policies', () => {
    const { network, weights } = lively();
    const { states, segments, outputs, flops } = lower(network.family, weights, perSample);
    expect(Object.fromEntries(states.map(({ name, shape }) => [name, shape]))).toMatchObject({
      'stage-1': ['N', 4, 4, 4],
      'stage-2': ['N', 6, 2, 2],
      logits: ['N', 5],
    });
    expect(outputs).toEqual([{ name: 'logits', dtype: 'float32', shape: ['N', 5] }]);
    expect(segments.map(({ reads }) => reads)).toEqual([
      ['image'],
      ['stage-1', 'logits'],
      ['stage-2'],
    ]);
    expect(segments.map(({ writes }) => writes)).toEqual([
      ['stage-1', 'logits'],
      ['logits', 'stage-2'],
      ['logits'],
    ]);
    expect(flops.segments).toHaveLength(3);
  });

  it('refuses shapes that cannot be', () => {
    expect(() => defineSdn({ ...config, side: 6 })).toThrow('side must be a multiple of 4');
    expect(() => defineSdn({ ...config, exits: [1, 2] })).toThrow('exits must rise and end at 3');
    expect(() => defineSdn({ ...config, widths: [4] })).toThrow('widths has 1 stages');
  });
});
