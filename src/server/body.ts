/** Bodies as they come: bytes, whatever their type; multipart forms with exactly one file. */
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { TaskRequest } from '../engine/types.ts';
import { Problem } from '../errors.ts';

/** Bytes of a field's value; the longest that any route takes are labels. */
const LONGEST_FIELD = 1024;

export async function installBodies(app: FastifyInstance, maxBodyBytes: number): Promise<void> {
  await app.register(multipart, {
    limits: { fileSize: maxBodyBytes, fieldSize: LONGEST_FIELD, files: 16, fields: 16, parts: 32 },
  });
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}

/** The media type without its parameters. @throws Problem `unsupported-media-type` where none is given or it is not taken */
export function mediaType(request: FastifyRequest, taken: readonly string[]): string {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  const fits =
    type !== undefined &&
    taken.some((one) => one === type || (one.endsWith('/*') && type.startsWith(one.slice(0, -1))));
  if (!fits) {
    throw new Problem(
      'unsupported-media-type',
      `Content-Type is ${type ?? 'missing'}; this route takes ${taken.join(', ')}.`,
    );
  }
  return type;
}

/** The body's bytes. @throws Problem `bad-body` where there are none */
export function bodyBytes(request: FastifyRequest): Buffer {
  if (!Buffer.isBuffer(request.body) || request.body.length === 0)
    throw new Problem('bad-body', 'The body is empty.');
  return request.body;
}

/** The most files and fields of a form of labelled images. */
const MOST_PARTS = 2048;

/**
 * The files of a form of labelled images: those in the field `support` have the label of the last field `label` before
 * them, those in the field `query` have none.
 * @throws Problem where the form has anything else
 */
export async function labelledFiles(
  request: FastifyRequest,
  maxBytes: number,
): Promise<NonNullable<TaskRequest['parts']>> {
  const parts: { field: string; label?: string; contentType: string; body: Buffer }[] = [];
  let label: string | undefined;
  let total = 0;
  const add = (bytes: number): void => {
    total += bytes;
    if (total > maxBytes)
      throw new Problem(
        'too-large',
        `The form holds more than ${maxBytes} bytes (MAX_BODY_BYTES).`,
      );
  };
  try {
    for await (const part of request.parts({
      limits: { files: MOST_PARTS, fields: MOST_PARTS, parts: 2 * MOST_PARTS },
    })) {
      const { fieldname: field } = part;
      if (part.type !== 'file') {
        if (field !== 'label')
          throw new Problem(
            'bad-body',
            `The form has a field ${field}; it takes label, and files in support and query.`,
          );
        if (part.valueTruncated)
          throw new Problem('bad-body', `A label is longer than ${LONGEST_FIELD} bytes.`);
        label = String(part.value);
        add(label.length);
        continue;
      }
      if (field !== 'support' && field !== 'query') {
        part.file.resume();
        throw new Problem(
          'bad-body',
          `The form has a file in the field ${field}; send files in support and query.`,
        );
      }
      const body = await part.toBuffer();
      add(body.length);
      parts.push({
        field,
        contentType: part.mimetype,
        body,
        ...(field === 'support' && label !== undefined && { label }),
      });
    }
  } catch (error) {
    throw formProblem(error, maxBytes);
  }
  if (parts.length === 0)
    throw new Problem(
      'bad-body',
      'The form has no file; send some in the fields support and query.',
    );
  return parts;
}

/** The one file of a multipart form, in the field of this name. @throws Problem where it is not exactly that */
export async function onlyFile(
  request: FastifyRequest,
  field: string,
  maxBytes: number,
): Promise<Buffer> {
  let bytes: Buffer | undefined;
  try {
    for await (const part of request.parts()) {
      if (part.type !== 'file')
        throw new Problem(
          'bad-body',
          `The form has a field ${part.fieldname} without a file; send one file, in the field ${field}.`,
        );
      if (part.fieldname !== field) {
        part.file.resume();
        throw new Problem(
          'bad-body',
          `The form has a file in the field ${part.fieldname}; send it in the field ${field}.`,
        );
      }
      if (bytes) {
        part.file.resume();
        throw new Problem(
          'bad-body',
          `The form has more than one file; send one, in the field ${field}.`,
        );
      }
      bytes = await part.toBuffer();
    }
  } catch (error) {
    throw formProblem(error, maxBytes);
  }
  if (!bytes)
    throw new Problem('bad-body', `The form has no file; send one, in the field ${field}.`);
  if (bytes.length === 0) throw new Problem('bad-body', 'The file is empty.');
  return bytes;
}

function formProblem(error: unknown, maxBytes: number): Problem {
  if (error instanceof Problem) return error;
  const { code, message } = error as Error & { code?: string };
  if (code === 'FST_REQ_FILE_TOO_LARGE')
    return new Problem('too-large', `The file is larger than ${maxBytes} bytes (MAX_BODY_BYTES).`);
  return new Problem(
    'bad-body',
    `The multipart form cannot be read: ${message.replace(/\.$/, '')}.`,
  );
}
