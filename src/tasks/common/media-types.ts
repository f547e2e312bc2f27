/** Media types that several tasks take or give, and how an answer's type is chosen. */
import Type from 'typebox';
import { formats } from '../../codecs/formats.ts';
import { Problem } from '../../errors.ts';
import { at } from '../../util/at.ts';
import type { TaskRequest } from '../task.ts';

export const JSON_TYPE = 'application/json';
export const NPY_TYPE = 'application/x-npy';
export const OCTETS = 'application/octet-stream';
export const FORM = 'multipart/form-data';

export const Bytes = (description: string) => Type.String({ format: 'binary', description });
export const Base64 = (description: string) => Type.String({ format: 'byte', description });

export const imageTypes = formats.map((format) => `image/${format}`);

/** The bodies of a task that takes one image: its bytes, or a form with it. */
export const imageBodies = {
  [FORM]: Type.Object({ image: Bytes('An image file.') }),
  'image/*': Bytes('An image file; its content says which format it is.'),
  [OCTETS]: Bytes('An image file; its content says which format it is.'),
};

/** A form with one file in the field `image`. */
export const imageForm = { files: ['image'], text: [], maxParts: 1 };

/** The image's bytes, of the body itself or of a form. */
export function imageOf({ body, parts }: TaskRequest): Uint8Array {
  const part = parts?.[0];
  const bytes = part && 'file' in part ? part.file : body;
  if (bytes.length === 0) throw new Problem('bad-body', 'The image is empty.');
  return bytes;
}

/** The type of the answer: the usual one where the client likes no other better. */
export const answerType = ({ accept }: TaskRequest, usual: string): string =>
  accept === undefined || accept.includes(usual) ? usual : at(accept, 0);
