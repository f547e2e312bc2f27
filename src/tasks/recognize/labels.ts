/** The names of a model's classes, in the order of its scores: the task file `labels.json`. */
import { at } from '../../util/at.ts';
import { messageOf } from '../../util/message-of.ts';
import type { Manifest } from '../../bundle/manifest.ts';

/** File name of the class names in a bundle: a JSON array of strings. */
export const LABELS = 'labels.json';

/** @throws a sentence where the bytes are not a list of as many names as the model has scores */
export function readLabels(
  bytes: Uint8Array,
  { name, outputs }: Pick<Manifest, 'name' | 'outputs'>,
): string[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new Error(`${LABELS} of ${name} is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const count = at(outputs, 0).shape[1];
  if (!Array.isArray(value) || !value.every((label): label is string => typeof label === 'string'))
    throw new Error(`${LABELS} of ${name} must be a list of strings.`);
  if (value.length !== count)
    throw new Error(`${LABELS} of ${name} has ${value.length} names for ${count} scores.`);
  return value;
}
