/** Bodies that are sent compressed (`Content-Encoding`), decoded within the limit that bodies have. */
import { PassThrough, pipeline, Transform, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { Problem, shortened } from '../errors.ts';

const decoders = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const;

/** Every route decodes gzip, deflate and br; any other encoding is refused with 415. */
export function installEncodings(app: FastifyInstance, maxBodyBytes: number): void {
  app.addHook('preParsing', (request, reply, payload, done) => {
    // Bodies of other methods are never read.
    if (request.method !== 'POST') return done(null, payload);
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? '';
    if (encoding === '' || encoding === 'identity') return done(null, payload);
    // The reader of forms takes them from the socket.
    if (request.headers['content-type']?.trim().toLowerCase().startsWith('multipart/'))
      return done(
        new Problem(
          'unsupported-media-type',
          'Multipart forms are taken without Content-Encoding.',
        ),
      );
    if (!Object.hasOwn(decoders, encoding))
      return done(
        new Problem(
          'unsupported-media-type',
          `Content-Encoding is ${shortened(encoding)}; bodies are taken as they are or in ${Object.keys(decoders).join(', ')}.`,
        ),
      );
    const body = decoded(payload, encoding as keyof typeof decoders, maxBodyBytes);
    // Where a request is refused before its body is read, nobody else listens, and an error would end the process.
    body.on('error', () => undefined);
    // The rest is read and dropped, so that the connection can go on.
    reply.raw.once('finish', () => body.resume());
    done(null, body);
  });
}

/** The stream's content; fails with a Problem where it is not in that encoding or grows beyond the limit, without reading on. */
function decoded(
  payload: Readable,
  encoding: keyof typeof decoders,
  maxBytes: number,
): Readable & { receivedEncodedLength?: number } {
  let total = 0;
  const limit = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      total += chunk.length;
      if (total <= maxBytes) return next(null, chunk);
      next(
        new Problem(
          'too-large',
          `The decoded body has more than ${maxBytes} bytes (MAX_BODY_BYTES).`,
        ),
      );
    },
  });
  const result = new PassThrough() as PassThrough & { receivedEncodedLength?: number };
  let received = 0;
  payload.on('data', (chunk: Buffer) => {
    received += chunk.length;
    result.receivedEncodedLength = received;
  });
  pipeline(payload, decoders[encoding](), limit, (error) => {
    if (!error) return;
    result.destroy(
      error instanceof Problem
        ? error
        : new Problem('bad-body', `The body is not ${encoding}, which its Content-Encoding says.`),
    );
  });
  limit.pipe(result);
  return result;
}
