import { expect } from 'vitest';
import { gradient } from '../../src/graph/gradient.ts';
import { toModel } from '../../src/graph/model.ts';
import { input, mul, reduceSum, sub } from '../../src/graph/operators.ts';
import { elements, known, type Value } from '../../src/graph/value.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';

/** Runs a graph on the CPU and gives every output's values. */
export async function evaluate(
  outputs: Record<string, Value>,
  feeds: Record<string, Float32Array>,
  dims: Record<string, readonly number[]>,
): Promise<Record<string, { data: Float32Array; dims: readonly number[] }>> {
  const session = await Session.load(toModel({ outputs }));
  const tensors = Object.fromEntries(
    session.inputs.map(({ name }) => [name, tensor(feeds[name]!, dims[name]!)]),
  );
  const result = await session.run(tensors);
  await session.release();
  return Object.fromEntries(
    Object.entries(result).map(([name, t]) => [name, { data: floats(t), dims: t.dims }]),
  );
}

export interface Case {
  /** The operator under test, applied to inputs of the given shapes. */
  build: (...inputs: Value[]) => Value;
  shapes: readonly (readonly number[])[];
  /** The expected values, written in plain JavaScript. */
  expected?: (...inputs: Float32Array[]) => readonly number[];
  /** Where the operator is not smooth everywhere, or not defined. */
  draw?: (i: number) => number;
  second?: boolean;
}

/** Distinct, well separated numbers in (-1, 1), so that kinks and ties are not met. */
const spread = (i: number): number => (((i * 37 + 11) % 101) / 101) * 2 - 1 + 0.0037 * (i % 7);

/** Checks shape, value, gradient and (where asked) the gradient of the gradient's square, against central differences. */
export async function check({
  build,
  shapes,
  expected,
  draw = spread,
  second = false,
}: Case): Promise<void> {
  const names = shapes.map((_, i) => `x${i}`);
  const inputs = shapes.map((shape, i) => input(names[i]!, shape));
  const dims = Object.fromEntries(names.map((name, i) => [name, shapes[i]!]));
  const feeds = Object.fromEntries(
    names.map((name, k) => [
      name,
      Float32Array.from({ length: elements(shapes[k]!) }, (_, i) => draw(i + 13 * k)),
    ]),
  );
  const y = build(...inputs);
  const { y: value } = await evaluate({ y }, feeds, dims);
  expect(value!.dims).toEqual(y.shape.map(known));
  if (expected) expectClose(value!.data, expected(...names.map((name) => feeds[name]!)), 1e-5);
  const weights = input('weights', y.shape);
  const loss = reduceSum(mul(y, weights));
  feeds.weights = Float32Array.from({ length: elements(y.shape) }, (_, i) => spread(i * 5 + 3));
  dims.weights = y.shape.map(known);
  await compare(loss, inputs, names, feeds, dims);
  if (!second) return;
  const parts = gradient(loss, inputs).map((g) => reduceSum(mul(g, sub(g, 0.3))));
  for (const part of parts) await compare(part, inputs, names, feeds, dims);
}

async function compare(
  loss: Value,
  inputs: readonly Value[],
  names: readonly string[],
  feeds: Record<string, Float32Array>,
  dims: Record<string, readonly number[]>,
): Promise<void> {
  const gradients = gradient(loss, inputs);
  const session = await Session.load(toModel({ outputs: { loss } }));
  const at = async (): Promise<number> => {
    const tensors = Object.fromEntries(
      session.inputs.map(({ name }) => [name, tensor(feeds[name]!, dims[name]!)]),
    );
    return floats((await session.run(tensors)).loss!)[0]!;
  };
  for (const [k, name] of names.entries()) {
    const { g } = await evaluate({ g: gradients[k]! }, feeds, dims);
    const data = feeds[name]!;
    const picks = [...data.keys()].filter((i) => i % Math.ceil(data.length / 12) === 0);
    for (const i of picks) {
      const original = data[i]!;
      const step = 4e-3;
      data[i] = original + step;
      const above = await at();
      data[i] = original - step;
      const below = await at();
      data[i] = original;
      const difference = (above - below) / (2 * step);
      const scale = Math.max(1, Math.abs(difference), Math.abs(above));
      expect(
        Math.abs(g!.data[i]! - difference),
        `d/d${name}[${i}]: ${g!.data[i]} against ${difference}`,
      ).toBeLessThan(5e-3 * scale);
    }
  }
  await session.release();
}

export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    expect(
      Math.abs(actual[i]! - expected[i]!),
      `element ${i}: ${actual[i]} against ${expected[i]}`,
    ).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected[i]!)));
  }
}
