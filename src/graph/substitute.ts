import { ancestors } from './gradient.ts';
import { node, type Value } from './value.ts';

/** Rebuilds `values` with some of their ancestors replaced by values of the same shape. */
export function substitute(
  values: readonly Value[],
  replacements: ReadonlyMap<Value, Value>,
): Value[] {
  const made = new Map(replacements);
  for (const value of ancestors(values)) {
    if (made.has(value)) continue;
    const inputs = value.inputs.map((input) => made.get(input)!);
    const same = inputs.every((input, i) => input === value.inputs[i]);
    made.set(value, same ? value : node(value.op, inputs, value.attrs));
  }
  return values.map((value) => made.get(value)!);
}
