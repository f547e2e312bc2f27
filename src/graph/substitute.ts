import { ancestors } from './gradient.ts';
import { node, type Value } from './value.ts';

/** The same computation, with some of the values it goes through replaced by others of equal shape. */
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
