import { describe, expect, it } from 'vitest';
import { countFlops } from '../../src/graph/flops.ts';
import { ancestors, gradient } from '../../src/graph/gradient.ts';
import * as operators from '../../src/graph/operators.ts';
import type { Value } from '../../src/graph/value.ts';

const { input } = operators;
const x = input('x', [2, 3]);
const y = input('y', [3]);
const image = input('image', [2, 4, 6, 8]);
const kernel = input('kernel', [5, 4, 3, 3]);

/** Every function that adds an operator of its own, with the operations that it costs. */
const costs: Record<
  Exclude<keyof typeof operators, 'inputOperator' | 'sumTo' | 'swapLast'>,
  readonly [Value, number]
> = {
  // Data that is only moved costs nothing.
  input: [x, 0],
  int8Input: [operators.int8Input('codes', [2, 3]), 0],
  scalar: [operators.scalar(2), 0],
  stopGradient: [operators.stopGradient(x), 0],
  asFloat: [operators.asFloat(input('condition', [2, 3])), 0],
  reshape: [operators.reshape(x, [6]), 0],
  transpose: [operators.transpose(x, [1, 0]), 0],
  expandLike: [operators.expandLike(y, x), 0],
  concat: [operators.concat([x, x], 0), 0],
  slice: [operators.slice(x, 1, 0, 2), 0],
  pad: [operators.pad(x, [1, 0], [0, 0]), 0],
  flip: [operators.flip(x, [0]), 0],
  spaceToDepth: [operators.spaceToDepth(image, 2), 0],
  depthToSpace: [operators.depthToSpace(image, 2), 0],
  // One for each element.
  neg: [operators.neg(x), 6],
  exp: [operators.exp(x), 6],
  log: [operators.log(x), 6],
  sqrt: [operators.sqrt(x), 6],
  reciprocal: [operators.reciprocal(x), 6],
  abs: [operators.abs(x), 6],
  sign: [operators.sign(x), 6],
  relu: [operators.relu(x), 6],
  sigmoid: [operators.sigmoid(x), 6],
  softplus: [operators.softplus(x), 6],
  clip: [operators.clip(x, 0, 1), 6],
  quantise: [operators.quantise(x, input('scale', [])), 6],
  dequantise: [operators.dequantise(operators.int8Input('codes', [2, 3]), input('scale', [2])), 6],
  add: [operators.add(x, y), 6],
  sub: [operators.sub(y, x), 6],
  mul: [operators.mul(x, 2), 6],
  div: [operators.div(x, y), 6],
  max: [operators.max(x, 0), 6],
  min: [operators.min(x, y), 6],
  greater: [operators.greater(x, 0), 6],
  greaterOrEqual: [operators.greaterOrEqual(x, y), 6],
  equal: [operators.equal(x, x), 6],
  where: [operators.where(input('condition', [3]), x, 0), 6],
  // One for each element that is read.
  reduceSum: [operators.reduceSum(x), 6],
  reduceMean: [operators.reduceMean(x, [1]), 6],
  reduceMax: [operators.reduceMax(x, [0]), 6],
  kthLargest: [operators.kthLargest(x, 2), 6],
  // Two for each multiply-add: 2·4 results of 3 products, and 2·5·6·8 results of 4·3·3.
  matmul: [operators.matmul(x, input('m', [3, 4])), 2 * 8 * 3],
  conv: [operators.conv(image, kernel), 2 * (2 * 5 * 6 * 8) * (4 * 9)],
};

describe('FLOPs', () => {
  it.each(Object.entries(costs))('of %s', (_, [value, flops]) => {
    expect(countFlops([value], value.inputs, {})).toBe(flops);
  });

  it('of the gradients that have operators of their own', () => {
    const loss = operators.reduceSum(operators.conv(image, kernel));
    const [g] = gradient(loss, [kernel]);
    const own = ancestors([g!]).filter(({ op }) => op.name === 'ConvWeightGradient');
    // As many multiply-adds as the convolution.
    expect(own.map((value) => countFlops([value], value.inputs, {}))).toEqual([
      2 * (2 * 5 * 6 * 8) * (4 * 9),
    ]);
    const symbolic = input('s', ['N', 3]);
    const [mean] = gradient(operators.reduceMean(symbolic), [symbolic]);
    const ratio = ancestors([mean!]).find(({ op }) => op.name === 'ElementRatio')!;
    expect(countFlops([ratio], ratio.inputs, { N: 7 })).toBe(1);
  });

  it('replaces symbols and their multiples, and leaves out what is already there', () => {
    const symbolic = input('s', ['N', '2*h']);
    const once = operators.exp(symbolic);
    const twice = operators.neg(once);
    expect(countFlops([twice], [], { N: 3, h: 5 })).toBe(60);
    expect(countFlops([twice, once], [once], { N: 3, h: 5 })).toBe(30);
    expect(() => countFlops([twice], [], { N: 3 })).toThrow(/must be a number/);
  });
});
