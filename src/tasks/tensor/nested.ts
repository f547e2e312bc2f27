/** Tensors as nested JSON arrays, row-major. */
import { Problem, shown } from '../../errors.ts';
import { at } from '../../util/at.ts';
import type { CutBody } from '../common/json-tensors.ts';

/** A tensor's shape, outermost first, and its values row by row. */
export interface DenseArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Reads nested arrays of numbers; the first elements give the shape.
 * @param name of the array in messages
 * @param tensors those that were taken out of the body; `value` may stand for one
 * @throws Problem `bad-body` where an array is empty or of another length than its neighbours, or a value is no number
 */
export function fromNested(
  value: unknown,
  name: string,
  tensors: CutBody['tensors'] = new Map(),
): DenseArray {
  if (!Array.isArray(value)) return refuse(`${name} must be an array, not ${shown(value)}.`);
  const cut = tensors.get(value[0] as string);
  if (cut && value.length === 1) return cut;
  const shape: number[] = [];
  for (let inner: unknown = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  if (shape.includes(0)) refuse(`${name} has an empty array.`);
  let elements: unknown[] = value;
  for (let axis = 1; axis < shape.length; axis++) {
    const length = at(shape, axis);
    elements.forEach((row, i) => {
      if (Array.isArray(row) && row.length === length) return;
      const found = Array.isArray(row) ? `has ${row.length} elements` : `is ${shown(row)}`;
      refuse(
        `${placeOf(name, shape.slice(0, axis), i)} ${found}; like those before it, it must be an array of ${length}.`,
      );
    });
    elements = elements.flat();
  }
  elements.forEach((element, i) => {
    if (typeof element !== 'number')
      refuse(`${placeOf(name, shape, i)} must be a number, not ${shown(element)}.`);
  });
  return { shape, data: new Float32Array(elements as number[]) };
}

/** `x[2][0]` for the flat index of an element. */
function placeOf(name: string, shape: readonly number[], index: number): string {
  let left = index;
  const keys = shape.toReversed().map((size) => {
    const key = left % size;
    left = Math.floor(left / size);
    return `[${key}]`;
  });
  return `${name}${keys.reverse().join('')}`;
}

function refuse(detail: string): never {
  throw new Problem('bad-body', detail);
}
