import { expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { defineDncnn } from '../../src/families/dncnn.ts';
import { toModel } from '../../src/graph/model.ts';
import {
  add,
  conv,
  depthToSpace,
  input,
  relu,
  spaceToDepth,
  sub,
} from '../../src/graph/operators.ts';
import type { Value } from '../../src/graph/value.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { unroll } from '../../src/training/unroll.ts';
import { initialWeights } from '../../src/training/weights.ts';

const config = { channels: 1, features: 6, depth: 5, exits: [2, 5], hidden: 3 } as const;

it('a kernel that holds the skip is the layer with an addition, at every exit', async () => {
  const family = defineDncnn(config);
  const random = new Random(4);
  const weights = initialWeights(family, random.normal);
  const image = input('image', [2, 1, 12, 10]);
  const pixels = new Float32Array(2 * 120);
  random.fillNormal(pixels);

  // The same layers written as relu(conv(x, w) + x), with kernels that lack the identity.
  const unfolded = new Map(
    [...weights].map(([name, values]) => [name, Float32Array.from(values)] as const),
  );
  for (let t = 2; t <= config.depth; t++)
    for (let i = 0; i < config.features; i++)
      unfolded.get(`kernel-${t}`)![(i * config.features + i) * 9 + 4]! -= 1;
  const parameter = (name: string): Value => family.parameters.get(name)!.value;
  let state = relu(conv(spaceToDepth(image, 2), parameter('kernel-1')));
  const expected: Value[] = [];
  for (let t = 1; t <= config.depth; t++) {
    if (t > 1) state = relu(add(conv(state, parameter(`kernel-${t}`)), state));
    if (t === 2 || t === 5)
      expected.push(sub(image, depthToSpace(conv(state, parameter(`head-${t}`)), 2)));
  }

  const run = async (values: readonly Value[], known: typeof weights): Promise<Float32Array[]> => {
    const session = await Session.load(
      toModel({
        outputs: Object.fromEntries(values.map((value, i) => [`exit-${i}`, value])),
        weights: new Map([...known].map(([name, data]) => [name, { data }])),
      }),
    );
    const found = await session.run({ image: tensor(pixels, [2, 1, 12, 10]) });
    const results = values.map((_, i) => Float32Array.from(floats(found[`exit-${i}`]!)));
    await session.release();
    return results;
  };
  const folded = await run(
    unroll(family, { image }).outputs.map(({ denoised }) => denoised!),
    weights,
  );
  const separate = await run(expected, unfolded);
  for (const [e, values] of folded.entries()) {
    const difference = values.map((value, i) => Math.abs(value - separate[e]![i]!));
    expect(Math.max(...difference)).toBeLessThan(1e-5);
    // The network does something to compare.
    expect(values.some((value, i) => Math.abs(value - pixels[i]!) > 0.01)).toBe(true);
  }
});
