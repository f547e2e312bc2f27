/** The multipart form of few-shot learning: which label each support file has. */
import Type from 'typebox';
import { Problem } from '../../errors.ts';
import { at } from '../../util/at.ts';
import { Bytes } from '../common/media-types.ts';
import type { FormPart } from '../task.ts';

/** Characters of a label. */
const MAX_LABEL = 200;

/** Schema of the form. */
export const Form = Type.Object(
  {
    label: Type.Array(Type.String()),
    support: Type.Array(Bytes('An image to learn from.')),
    query: Type.Array(Bytes('An image to be labelled.')),
  },
  {
    description:
      'The fields in order: a label counts for the support files after it, up to the next label. Where all labels come before all support files and there are as many of them, the first label is that of the first file, and so on.',
  },
);

/** An image to learn from. */
export interface LabelledImage {
  readonly label: string;
  readonly image: Uint8Array;
}

/** The images of a request. */
export interface Given {
  readonly support: readonly LabelledImage[];
  readonly query: readonly Uint8Array[];
}

const refuse = (detail: string): never => {
  throw new Problem('bad-body', detail);
};

/**
 * Gives each support file its label: the one before it, or in a form that is grouped by field, as Swagger UI sends it, the
 * one at the same place.
 * @throws Problem `bad-body` where a file has no label, or a label is empty or too long
 */
export function fromParts(parts: readonly FormPart[]): Given {
  const files = (name: string): Uint8Array[] =>
    parts.flatMap((part) => ('file' in part && part.field === name ? [part.file] : []));
  const [support, query] = [files('support'), files('query')];
  const labels = labelsOf(parts, support.length);
  return { support: support.map((image, i) => ({ label: at(labels, i), image })), query };
}

/** A label for each of the `count` support files. */
function labelsOf(parts: readonly FormPart[], count: number): string[] {
  const labels: string[] = [];
  const before: string[] = [];
  let firstFile = 0;
  for (const part of parts) {
    if ('text' in part) before.push(checkLabel(part.text, `before support file ${labels.length}`));
    else if (part.field === 'support') {
      if (labels.length === 0) firstFile = before.length;
      const label = before.at(-1);
      if (label === undefined)
        refuse(`Support file ${labels.length} has no label; send a field label before it.`);
      else labels.push(label);
    }
  }
  const isGrouped = before.length > 1 && firstFile === before.length;
  if (!isGrouped || count === 0) return labels;
  if (before.length !== count)
    refuse(
      `The form has ${before.length} labels before its ${count} support files; send one for each, or each label right before its files.`,
    );
  return before;
}

/** Labels are equal where they are after normalisation (NFC) and trimming. @throws Problem `bad-body` */
export function checkLabel(label: string, where: string): string {
  const trimmed = label.normalize('NFC').trim();
  if (trimmed === '') refuse(`The label ${where} is empty.`);
  if (trimmed.length > MAX_LABEL)
    refuse(`The label ${where} has ${trimmed.length} characters; at most ${MAX_LABEL} are taken.`);
  return trimmed;
}
