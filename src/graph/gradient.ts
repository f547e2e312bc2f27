import { add, expandLike, scalar } from './operators.ts';
import type { Value } from './value.ts';

/**
 * Reverse-mode differentiation of a scalar. The result is a graph again: it can be run, exported and differentiated.
 *
 * @param loss a value of shape []
 * @param wrt the values to differentiate with respect to
 * @returns one gradient for each, of the same shape
 * @throws RangeError where `loss` is not a scalar
 */
export function gradient(loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.shape.length > 0)
    throw new RangeError(`only a scalar can be differentiated, not [${loss.shape.join(',')}]`);
  const path = dependents(loss, wrt);
  const gradients = new Map<Value, Value>([[loss, scalar(1)]]);
  for (const node of [...path].sort((a, b) => b.id - a.id)) {
    const g = gradients.get(node);
    if (!g || !node.op.gradient) continue;
    const inputs = node.op.gradient(g, node);
    node.inputs.forEach((input, i) => {
      const part = inputs[i];
      if (!part || !path.has(input)) return;
      const sum = gradients.get(input);
      gradients.set(input, sum ? add(sum, part) : part);
    });
  }
  return wrt.map((value) => gradients.get(value) ?? expandLike(scalar(0), value));
}

/** The values on the paths from `loss` to `wrt`, `wrt` included. */
function dependents(loss: Value, wrt: readonly Value[]): Set<Value> {
  const targets = new Set(wrt);
  const depends = new Set<Value>();
  for (const value of ancestors([loss])) {
    if (
      targets.has(value) ||
      (value.op.gradient && value.inputs.some((input) => depends.has(input)))
    )
      depends.add(value);
  }
  return depends;
}

/** All values that `values` depend on, themselves included, in topological order. */
export function ancestors(values: Iterable<Value>): Value[] {
  const seen = new Set<Value>();
  const stack = [...values];
  for (let value = stack.pop(); value; value = stack.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    stack.push(...value.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
