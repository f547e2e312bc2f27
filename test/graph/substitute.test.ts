import { expect, it } from 'vitest';
import { add, exp, input, mul } from '../../src/graph/operators.ts';
import { substitute } from '../../src/graph/substitute.ts';
import { evaluate, expectClose } from './check.ts';

const [x, y, z] = ['x', 'y', 'z'].map((name) => input(name, [2])) as [
  ReturnType<typeof input>,
  ReturnType<typeof input>,
  ReturnType<typeof input>,
];

it('replaces a value wherever it is used, in all results, and keeps what does not depend on it', async () => {
  const inner = mul(x, y);
  const untouched = exp(y);
  const outer = add(exp(inner), mul(inner, untouched));
  const [first, second] = substitute([outer, untouched], new Map([[inner, z]]));
  expect(second).toBe(untouched);
  const feeds = { y: Float32Array.of(1, 2), z: Float32Array.of(-1, 0.5) };
  const result = await evaluate({ first: first! }, feeds, { y: [2], z: [2] });
  // The graph does not read x any more: evaluate would fail without its feed.
  expectClose(result.first!.data, [Math.exp(-1) - Math.E, Math.exp(0.5) + 0.5 * Math.exp(2)], 1e-5);
});

it('replaces a leaf, also by a value that is computed from it', async () => {
  const [doubled] = substitute([exp(x)], new Map([[x, add(x, x)]]));
  const result = await evaluate({ doubled: doubled! }, { x: Float32Array.of(0, 1) }, { x: [2] });
  expectClose(result.doubled!.data, [1, Math.exp(2)], 1e-5);
});
