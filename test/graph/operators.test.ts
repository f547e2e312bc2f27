import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/graph/gradient.ts';
import * as f from '../../src/graph/functions.ts';
import { toModel } from '../../src/graph/model.ts';
import * as o from '../../src/graph/operators.ts';
import { elements, type Value } from '../../src/graph/value.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { check, evaluate, expectClose, type Case } from './check.ts';

const map = (g: (x: number) => number) => (x: Float32Array) => Array.from(x, g);
const zip = (g: (a: number, b: number) => number) => (a: Float32Array, b: Float32Array) =>
  Array.from(a, (x, i) => g(x, b[i]!));
const positive = (i: number): number => 0.3 + ((i * 37 + 11) % 101) / 60;
const unary = (build: Case['build'], g: (x: number) => number, draw?: Case['draw']): Case => ({
  build,
  shapes: [[2, 3]],
  expected: map(g),
  second: true,
  ...(draw && { draw }),
});

const cases: Record<string, Case> = {
  neg: unary(o.neg, (x) => -x),
  exp: unary(o.exp, Math.exp),
  log: unary(o.log, Math.log, positive),
  sqrt: unary(o.sqrt, Math.sqrt, positive),
  reciprocal: unary(o.reciprocal, (x) => 1 / x, positive),
  abs: unary(o.abs, Math.abs),
  relu: unary(o.relu, (x) => Math.max(x, 0)),
  sigmoid: unary(o.sigmoid, (x) => 1 / (1 + Math.exp(-x))),
  clip: unary(
    (x) => o.clip(x, -0.4, 0.5),
    (x) => Math.min(0.5, Math.max(-0.4, x)),
  ),
  softplus: unary(o.softplus, (x) => Math.log1p(Math.exp(x))),
  add: {
    build: o.add,
    shapes: [
      [2, 3],
      [2, 3],
    ],
    expected: zip((a, b) => a + b),
  },
  'add, broadcast': { build: o.add, shapes: [[2, 3], [3]], second: true },
  'sub, broadcast both': {
    build: o.sub,
    shapes: [
      [2, 1],
      [1, 3],
    ],
    second: true,
  },
  mul: {
    build: o.mul,
    shapes: [
      [2, 3],
      [2, 3],
    ],
    expected: zip((a, b) => a * b),
    second: true,
  },
  'mul, broadcast': {
    build: o.mul,
    shapes: [
      [2, 3, 4],
      [3, 1],
    ],
    second: true,
  },
  div: {
    build: o.div,
    shapes: [
      [2, 3],
      [2, 3],
    ],
    expected: zip((a, b) => a / b),
    draw: positive,
    second: true,
  },
  max: {
    build: o.max,
    shapes: [
      [2, 3],
      [2, 3],
    ],
    expected: zip(Math.max),
  },
  min: {
    build: o.min,
    shapes: [
      [2, 3],
      [2, 3],
    ],
    expected: zip(Math.min),
  },
  where: {
    build: (a, b) => o.where(o.greater(a, 0.1), o.mul(a, a), b),
    shapes: [
      [2, 3],
      [2, 3],
    ],
    expected: zip((a, b) => (a > 0.1 ? a * a : b)),
    second: true,
  },
  'stop gradient, as value': { build: (a) => o.add(a, o.mul(0, o.stopGradient(a))), shapes: [[4]] },
  reduceSum: {
    build: (x) => o.reduceSum(x, [1]),
    shapes: [[2, 3]],
    expected: (x) => [x[0]! + x[1]! + x[2]!, x[3]! + x[4]! + x[5]!],
  },
  'reduceSum, kept': {
    build: (x) => o.mul(x, o.reduceSum(x, [0, 2], true)),
    shapes: [[2, 3, 2]],
    second: true,
  },
  reduceMean: {
    build: (x) => o.reduceMean(f.square(x), [0, 2]),
    shapes: [[2, 3, 2]],
    second: true,
  },
  reduceMax: {
    build: (x) => o.reduceMax(x, [1]),
    shapes: [[2, 3]],
    expected: (x) => [Math.max(x[0]!, x[1]!, x[2]!), Math.max(x[3]!, x[4]!, x[5]!)],
  },
  kthLargest: {
    build: (x) => o.kthLargest(x, 2),
    shapes: [[2, 4]],
    expected: (x) =>
      [0, 4].map(
        (i) =>
          x
            .slice(i, i + 4)
            .sort()
            .reverse()[1]!,
      ),
  },
  matmul: {
    build: o.matmul,
    shapes: [
      [2, 3],
      [3, 2],
    ],
    expected: (a, b) =>
      [0, 1].flatMap((i) =>
        [0, 1].map((j) => [0, 1, 2].reduce((s, k) => s + a[3 * i + k]! * b[2 * k + j]!, 0)),
      ),
    second: true,
  },
  'matmul, batched against one': {
    build: o.matmul,
    shapes: [
      [2, 3, 4],
      [4, 2],
    ],
    second: true,
  },
  'conv 3×3': {
    build: o.conv,
    shapes: [
      [2, 2, 4, 5],
      [3, 2, 3, 3],
    ],
    second: true,
  },
  'conv 1×1': {
    build: o.conv,
    shapes: [
      [1, 3, 2, 2],
      [2, 3, 1, 1],
    ],
    second: true,
  },
  'conv 5×5': {
    build: o.conv,
    shapes: [
      [1, 1, 6, 5],
      [2, 1, 5, 5],
    ],
  },
  reshape: { build: (x) => o.reshape(x, [3, 2]), shapes: [[2, 3]], expected: map((x) => x) },
  transpose: {
    build: (x) => o.transpose(x, [1, 0]),
    shapes: [[2, 3]],
    expected: (x) => [0, 3, 1, 4, 2, 5].map((i) => x[i]!),
  },
  expand: {
    build: (x, y) => o.mul(o.expandLike(x, y), y),
    shapes: [
      [1, 3],
      [2, 3],
    ],
    second: true,
  },
  concat: {
    build: (x, y) => f.square(o.concat([x, y], 1)),
    shapes: [
      [2, 1],
      [2, 3],
    ],
    second: true,
  },
  slice: {
    build: (x) => o.slice(x, 1, 1, 3),
    shapes: [[2, 4]],
    expected: (x) => [1, 2, 5, 6].map((i) => x[i]!),
    second: true,
  },
  'slice, step 2': {
    build: (x) => f.square(o.slice(x, 1, 1, 5, 2)),
    shapes: [[2, 5]],
    expected: (x) => [1, 3, 6, 8].map((i) => x[i]! ** 2),
    second: true,
  },
  'slice, step past the end': {
    build: (x) => f.square(o.slice(x, 1, 0, 5, 2)),
    shapes: [[2, 5]],
    expected: (x) => [0, 2, 4, 5, 7, 9].map((i) => x[i]! ** 2),
  },
  pad: {
    build: (x) => f.square(o.pad(x, [0, 1], [1, 0])),
    shapes: [[1, 2]],
    expected: (x) => [0, x[0]! ** 2, x[1]! ** 2, 0, 0, 0],
    second: true,
  },
  flip: {
    build: (x) => o.flip(x, [0, 1]),
    shapes: [[2, 3]],
    expected: (x) => Array.from(x).reverse(),
  },
  spaceToDepth: {
    build: (x) => o.spaceToDepth(x, 2),
    shapes: [[1, 1, 2, 4]],
    expected: (x) => [0, 2, 1, 3, 4, 6, 5, 7].map((i) => x[i]!),
    second: true,
  },
  depthToSpace: {
    build: (x) => f.square(o.depthToSpace(x, 2)),
    shapes: [[1, 8, 1, 2]],
    second: true,
  },
  linear: { build: f.linear, shapes: [[2, 3], [3, 2], [2]], second: true },
  logSumExp: {
    build: (x) => f.logSumExp(x, 1),
    shapes: [[2, 3]],
    expected: (x) =>
      [0, 3].map((i) => Math.log([0, 1, 2].reduce((s, k) => s + Math.exp(x[i + k]!), 0))),
    second: true,
  },
  logSoftmax: { build: (x) => f.logSoftmax(x, 1), shapes: [[2, 3]], second: true },
  logSigmoid: {
    build: f.logSigmoid,
    shapes: [[2, 3]],
    expected: map((x) => -Math.log1p(Math.exp(-x))),
    second: true,
  },
  rootMeanSquare: { build: (x) => f.rootMeanSquare(x, [1]), shapes: [[2, 3]], second: true },
  batchNorm: {
    build: (x, scale, shift) => f.batchNorm(x, scale, shift),
    shapes: [
      [2, 2, 2, 3],
      [2, 1, 1],
      [2, 1, 1],
    ],
    second: true,
  },
};

describe('every operator: shape, value, gradient, gradient of the gradient', () => {
  it.each(Object.entries(cases))('%s', async (_, one) => check(one));
});

describe('the gradient of a convolution by its kernel', () => {
  it('is the same where the number of samples is known and where it is not', async () => {
    for (const k of [1, 3, 5]) {
      const dims = { x: [3, 2, 4, 5], w: [4, 2, k, k], g: [3, 4, 4, 5] };
      const of = (n: number | string): Value => {
        const [x, w, g] = [
          o.input('x', [n, 2, 4, 5]),
          o.input('w', dims.w),
          o.input('g', [n, 4, 4, 5]),
        ];
        return gradient(o.reduceSum(o.mul(o.conv(x, w), g)), [w])[0]!;
      };
      const feeds = Object.fromEntries(
        Object.entries(dims).map(([name, shape]) => [
          name,
          Float32Array.from({ length: elements(shape) }, (_, i) => Math.sin(i * i)),
        ]),
      );
      const [any, known] = [
        await evaluate({ y: of('N') }, feeds, dims),
        await evaluate({ y: of(3) }, feeds, dims),
      ];
      expectClose(known.y!.data, [...any.y!.data], 1e-5);
    }
  });
});

describe('8-bit numbers', () => {
  it('codes are the nearest multiples of the scale, clipped to 0…255', async () => {
    const x = o.input('x', [2, 4]);
    const scale = o.input('scale', [2]);
    const one = o.input('one', []);
    const dims = { x: [2, 4], scale: [2], one: [] };
    const feeds = {
      x: Float32Array.of(-1, 0.24, 0.26, 200, -1, 1.2, 1.4, 2000),
      scale: Float32Array.of(0.5, 1),
      one: Float32Array.of(1),
    };
    const rows = o.dequantise(o.quantise(x, scale), scale);
    const { each } = await evaluate({ each: rows }, feeds, dims);
    expectClose(each!.data, [0, 0, 0.5, 127.5, 0, 1, 1, 255], 1e-6);
    const { all } = await evaluate({ all: o.dequantise(o.quantise(x, one), one) }, feeds, dims);
    expectClose(all!.data, [0, 0, 0, 200, 0, 1, 1, 255], 1e-6);
  });

  it('int8 codes are stored in the model, with a scale for each index of axis 0', async () => {
    const kernel = o.dequantise(o.int8Input('codes', [2, 3]), o.input('scale', [2]));
    const y = o.mul(kernel, o.input('one', []));
    const weights = new Map([
      ['codes', { data: Int8Array.of(-127, 0, 1, 5, -6, 127) }],
      ['scale', { data: Float32Array.of(0.5, 2) }],
    ]);
    const session = await Session.load(toModel({ outputs: { y }, weights }));
    expect(session.inputs.map(({ name }) => name)).toEqual(['one']);
    const found = await session.run({ one: tensor(Float32Array.of(1), []) });
    expect([...floats(found.y!)]).toEqual([-63.5, 0, 0.5, 10, -12, 254]);
    await session.release();
  });

  it('a scale of another shape is refused', () => {
    const x = o.input('x', [2, 4]);
    expect(() => o.quantise(x, o.input('scale', [4]))).toThrow('no scale [4] for [2,4]');
    expect(() => o.dequantise(x, o.input('scale', [2, 1]))).toThrow('no scale [2,1] for [2,4]');
  });

  it('zeros stay zeros where no gradient passes', async () => {
    const x = o.input('x', [3]);
    const one = o.input('one', []);
    const loss = o.reduceSum(o.dequantise(o.quantise(x, one), one));
    const [g] = gradient(loss, [x]);
    const { g: found } = await evaluate({ g: g! }, { x: Float32Array.of(1, 2, 3) }, { x: [3] });
    expect([...found!.data]).toEqual([0, 0, 0]);
  });
});
