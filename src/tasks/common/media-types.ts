/** Media types that several tasks take or give, and how an answer's type is chosen. */
import Type from 'typebox';
import { formats } from '../../codecs/formats.ts';
import { Problem } from '../../errors.ts';
import { at } from '../../util/at.ts';
import type { TaskRequest } from '../task.ts';

/** Media type of JSON bodies and answers. */
export const JSON_TYPE = 'application/json';
/** Media type of NumPy's `.npy` files. */
export const NPY_TYPE = 'application/x-npy';
/** Media type of raw bytes. */
export const OCTETS = 'application/octet-stream';
/** Media type of server-sent events. */
export const EVENT_STREAM = 'text/event-stream';
/** Media type of multipart forms. */
export const FORM = 'multipart/form-data';

/** Schema of a binary body or form field, for OpenAPI. */
export const Bytes = (description: string) => Type.String({ format: 'binary', description });
/** Schema of a JSON string that holds bytes in base64. */
export const Base64 = (description: string) => Type.String({ format: 'byte', description });

/** Media types of the image formats that can be written, such as `image/png`. */
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
