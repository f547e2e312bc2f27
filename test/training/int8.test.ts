import { expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { toModel } from '../../src/graph/model.ts';
import { conv, input, relu } from '../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { fitInt8, type Int8Layer } from '../../src/training/int8.ts';

const [N, F, SIDE] = [2, 6, 12];
const shape = [N, F, SIDE, SIDE];

/** Kernels of residual layers: the identity and a little more. */
const kernels = (count: number): Float32Array[] => {
  const random = new Random(3);
  return Array.from({ length: count }, () => {
    const kernel = new Float32Array(F * F * 9);
    random.fillNormal(kernel, 0.12);
    for (let c = 0; c < F; c++) kernel[(c * F + c) * 9 + 4]! += 1;
    return kernel;
  });
};

/** Smooth features of the given size, as after a layer: no negative ones. */
function features(size: number, seed: number): Float32Array {
  const random = new Random(seed);
  const phases = Array.from({ length: N * F }, () => 6 * random.uniform());
  return Float32Array.from({ length: N * F * SIDE * SIDE }, (_, i) => {
    const [plane, place] = [Math.floor(i / SIDE ** 2), i % SIDE ** 2];
    const wave = Math.sin(phases[plane]! + (place % SIDE) / 3 + Math.floor(place / SIDE) / 4);
    return size * Math.max(0, wave + 0.3 * random.normal());
  });
}

const groups = [1, 0.01].map((size, i) => ({
  features: features(size, 10 + i),
  weight: new Float32Array(N).fill(1 / size ** 2),
}));

const dequantised = ({ codes, kernelScale }: Int8Layer): Float32Array =>
  Float32Array.from(codes, (code, i) => code * kernelScale[Math.floor(i / (F * 9))]!);

async function through(from: Float32Array, path: readonly Float32Array[]): Promise<Float32Array> {
  const x = input('x', shape);
  const answer = path.reduce(
    (state, _, i) => relu(conv(state, input(`kernel-${i}`, [F, F, 3, 3]))),
    x,
  );
  const weights = new Map(path.map((data, i) => [`kernel-${i}`, { data }]));
  const session = await Session.load(toModel({ outputs: { answer }, weights }));
  const found = floats((await session.run({ x: tensor(from, shape) })).answer!).slice();
  await session.release();
  return found;
}

const distance = (a: Float32Array, b: Float32Array): number =>
  Math.hypot(...a.map((value, i) => value - b[i]!)) / Math.hypot(...b);

it('fitted kernels are closer to the float path than kernels that were rounded one by one', async () => {
  const path = kernels(4);
  const layers = await fitInt8({ kernels: path, first: 5, entries: new Set([7]), groups, shape });
  const rounded = path.map((kernel) => {
    const scale = Array.from({ length: F }, (_, c) =>
      kernel.subarray(c * F * 9, (c + 1) * F * 9).reduce((m, v) => Math.max(m, Math.abs(v)), 0),
    );
    return kernel.map((value, i) => {
      const step = scale[Math.floor(i / (F * 9))]! / 127;
      return Math.round(value / step) * step;
    });
  });
  const { features: fresh } = groups[0]!;
  const exact = await through(fresh, path);
  const fitted = distance(await through(fresh, layers.map(dequantised)), exact);
  const plain = distance(await through(fresh, rounded), exact);
  expect(fitted).toBeGreaterThan(0);
  expect(fitted).toBeLessThan(plain);
});

it('segments begin with a scale, and codes do not depend on the size of the features', async () => {
  const options = { kernels: kernels(3), first: 5, entries: new Set([7]), shape };
  const [one, two] = [
    await fitInt8({ ...options, groups }),
    await fitInt8({
      ...options,
      groups: groups.map(({ features: own, weight }) => ({
        features: own.map((value) => 8 * value),
        weight: weight.map((value) => value / 64),
      })),
    }),
  ];
  expect(one.map(({ entryScale }) => entryScale !== undefined)).toEqual([true, false, true]);
  one.forEach(({ codes, scale }, i) => {
    const different = codes.filter((code, k) => code !== two[i]!.codes[k]).length;
    expect(different / codes.length).toBeLessThan(0.02);
    expect(two[i]!.scale / scale).toBeCloseTo(1, 3);
  });
});
