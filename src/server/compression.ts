/** Compresses large text answers with gzip or Brotli, where the client takes them. */
import { constants } from 'node:zlib';
import compress from '@fastify/compress';
import type { FastifyInstance } from 'fastify';

/** Answers below this size are sent as they are, bytes: compressing one signal costs more time than it saves. */
const THRESHOLD = 16_384;
/** Images are compressed already, float32 hardly shrinks, and events must not wait in a buffer. */
const TEXT =
  /^(text\/(html|css|plain|javascript)|application\/(json|problem\+json|javascript)|image\/svg)/;

/** Adds `Content-Encoding` to answers of the routes that are added afterwards. */
export async function installCompression(app: FastifyInstance): Promise<void> {
  await app.register(compress, {
    globalDecompression: false,
    encodings: ['br', 'gzip'],
    threshold: THRESHOLD,
    // Never on the event loop.
    syncThreshold: 0,
    customTypes: (type) => TEXT.test(type),
    brotliOptions: { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } },
    zlibOptions: { level: 4 },
  });
}
