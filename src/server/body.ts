/** Reads request bodies: raw bytes of any type, and multipart forms. */
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem, shortened } from '../errors.ts';
import type { FormFields, FormPart } from '../tasks/task.ts';

/** Content type assumed for bodies without one. */
const DEFAULT_TYPE = 'application/octet-stream';

/** Maximum size of a text field, bytes; the longest ones are labels. */
const MAX_FIELD_BYTES = 1024;

/** What boundaries and headers of parts may add to a form, bytes. */
const MAX_FORM_OVERHEAD = 1 << 20;

/**
 * Makes every body a Buffer, JSON included; multipart forms are left to `formParts`.
 * @param maxBodyBytes limit on each file of a form, bytes; other bodies have fastify's `bodyLimit`
 */
export async function installBodies(app: FastifyInstance, maxBodyBytes: number): Promise<void> {
  await app.register(multipart, {
    limits: { fileSize: maxBodyBytes, fieldSize: MAX_FIELD_BYTES },
  });
  // Without a type fastify refuses the body before the handler runs.
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    if (raw.method === 'POST' && !raw.headers['content-type']?.trim())
      raw.headers['content-type'] = DEFAULT_TYPE;
    done();
  });
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}

/**
 * The media type without its parameters.
 * @throws Problem `unsupported-media-type`
 */
export function mediaType(request: FastifyRequest, taken: readonly string[]): string {
  const [given = ''] = (request.headers['content-type'] ?? '').split(';');
  const type = given.trim().toLowerCase();
  const fits = taken.some(
    (one) => one === type || (one.endsWith('/*') && type.startsWith(one.slice(0, -1))),
  );
  if (fits) return type;
  throw new Problem(
    'unsupported-media-type',
    `Content-Type is ${shortened(type)}${type === DEFAULT_TYPE ? ', which also stands for none' : ''}; this route takes ${taken.join(', ')}.`,
  );
}

/** The body's bytes. @throws Problem `bad-body` where there are none */
export function bodyBytes(request: FastifyRequest): Buffer {
  if (!Buffer.isBuffer(request.body) || request.body.length === 0)
    throw new Problem('bad-body', 'The body is empty.');
  return request.body;
}

/**
 * The parts of a multipart form, in order.
 * @throws Problem where it has an unknown field, no file, or more than `maxBytes`
 */
export async function formParts(
  request: FastifyRequest,
  form: FormFields,
  maxBytes: number,
): Promise<FormPart[]> {
  const { maxParts } = form;
  if (Number(request.headers['content-length'] ?? 0) > maxBytes + MAX_FORM_OVERHEAD)
    throw formTooLarge(maxBytes);
  const limits = { files: maxParts + 1, fields: maxParts + 1, parts: 2 * maxParts + 2 };
  const parts: FormPart[] = [];
  let total = 0;
  try {
    for await (const part of request.parts({ limits })) {
      const { fieldname: field } = part;
      const isFile = part.type === 'file';
      if (!(isFile ? form.files : form.text).includes(field)) {
        if (isFile) part.file.resume();
        throw new Problem('bad-body', wrongField(field, isFile, form));
      }
      if (!isFile && part.valueTruncated)
        throw new Problem(
          'bad-body',
          `The field ${field} is longer than ${MAX_FIELD_BYTES} bytes.`,
        );
      if (isFile && parts.filter((one) => 'file' in one).length === maxParts) {
        part.file.resume();
        throw new Problem('bad-body', tooManyFiles(form));
      }
      const taken: FormPart = isFile
        ? { field, file: await part.toBuffer() }
        : { field, text: String(part.value) };
      total += 'file' in taken ? taken.file.length : taken.text.length;
      if (total > maxBytes) throw formTooLarge(maxBytes);
      parts.push(taken);
    }
  } catch (error) {
    throw formProblem(error, maxBytes);
  }
  if (!parts.some((part) => 'file' in part))
    throw new Problem('bad-body', `The form has no file; send ${wantedFields(form)}.`);
  return parts;
}

const formTooLarge = (maxBytes: number): Problem =>
  new Problem('too-large', `The form holds more than ${maxBytes} bytes (MAX_BODY_BYTES).`);

const wantedFields = ({ files, text, maxParts }: FormFields): string =>
  maxParts === 1
    ? `one file, in the field ${files[0]}`
    : `files in ${files.join(' and ')}${text.length > 0 ? `, and text in ${text.join(' and ')}` : ''}`;

const wrongField = (field: string, isFile: boolean, form: FormFields): string =>
  `The form has ${isFile ? 'a file in the field' : 'a text field'} ${shortened(field)}; send ${wantedFields(form)}.`;

const tooManyFiles = (form: FormFields): string =>
  `The form has more than ${form.maxParts === 1 ? 'one file' : `${form.maxParts} files`}; send ${wantedFields(form)}.`;

function formProblem(error: unknown, maxBytes: number): Problem {
  if (error instanceof Problem) return error;
  const { code, message } = error as Error & { code?: string };
  if (code === 'FST_REQ_FILE_TOO_LARGE')
    return new Problem('too-large', `The file is larger than ${maxBytes} bytes (MAX_BODY_BYTES).`);
  return new Problem(
    'bad-body',
    `The multipart form cannot be read: ${shortened(message.replace(/\.$/, ''))}.`,
    { cause: error },
  );
}
