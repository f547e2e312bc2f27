/** Bodies that are refused. What is checked of each is in requests.ts. */
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { writeNpy } from '../../src/codecs/npy.ts';
import {
  expectProblem,
  JSON_TYPE,
  noiseImages,
  requestsTo,
  vector,
  type BadRequests,
} from './requests.ts';
import { form, startSmallService, type SmallService } from './support.ts';

let service: SmallService;
let gray: Buffer;
let color: Buffer;
beforeAll(async () => {
  service = await startSmallService();
  ({ gray, color } = await noiseImages());
});
afterAll(() => service.close());

const { post, recover } = requestsTo(() => service);

describe('a bad body gets a problem that says what to change, and the next good request is served', () => {
  const png = { 'content-type': 'image/png' };
  const octets = { 'content-type': 'application/octet-stream' };
  const huge = (): Buffer => {
    const chunk = (type: string, data: Buffer): Buffer => {
      const body = Buffer.concat([Buffer.from(type), data]);
      const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
      length.writeUInt32BE(data.length);
      check.writeUInt32BE(crc32(body));
      return Buffer.concat([length, body, check]);
    };
    const header = Buffer.from('00009c4000009c400802000000', 'hex');
    return Buffer.concat([
      Buffer.from('89504e470d0a1a0a', 'hex'),
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(Buffer.alloc(9))),
      chunk('IEND', Buffer.alloc(0)),
    ]);
  };
  const cases: BadRequests = {
    'empty body': [400, 'bad-body', /empty/, () => post('/v1/denoise', '', png)],
    'not an image': [
      400,
      'bad-image',
      /cannot be decoded/,
      () => post('/v1/denoise', 'hello', png),
    ],
    'truncated PNG': [
      400,
      'bad-image',
      /cannot be decoded/,
      () => post('/v1/denoise', color.subarray(0, color.length / 2), png),
    ],
    'truncated JPEG': [
      400,
      'bad-image',
      /cannot be decoded/,
      async () =>
        post('/v1/denoise', (await sharp(color).jpeg().toBuffer()).subarray(0, 700), {
          'content-type': 'image/jpeg',
        }),
    ],
    'a header of 40,000×40,000': [
      413,
      'too-large',
      /pixels/,
      () => post('/v1/denoise', huge(), png),
    ],
    'form without a file': [
      400,
      'bad-body',
      /text field image; send one file, in the field image/,
      async () => {
        const { payload, headers } = await form([{ field: 'image', text: 'x' }]);
        return post('/v1/denoise', payload, headers);
      },
    ],
    'form with two files': [
      400,
      'bad-body',
      /more than one/,
      async () => {
        const { payload, headers } = await form([
          { field: 'image', file: gray },
          { field: 'image', file: gray },
        ]);
        return post('/v1/denoise', payload, headers);
      },
    ],
    'form with another field': [
      400,
      'bad-body',
      /in the field image/,
      async () => {
        const { payload, headers } = await form([{ field: 'picture', file: gray }]);
        return post('/v1/denoise', payload, headers);
      },
    ],
    'form that is cut off': [
      400,
      'bad-body',
      /multipart/,
      async () => {
        const { payload, headers } = await form([{ field: 'image', file: gray }]);
        return post('/v1/denoise', payload.subarray(0, 300), headers);
      },
    ],
    'no content type, where octets are not taken': [
      415,
      'unsupported-media-type',
      /octet-stream, which also stands for none; this route takes application\/json/,
      () => post('/v1/few-shot', color, { 'content-type': '' }),
    ],
    'another content type': [
      415,
      'unsupported-media-type',
      /text\/plain/,
      () => post('/v1/recover', 'x', { 'content-type': 'text/plain' }),
    ],
    'body over the limit': [
      413,
      'too-large',
      /MAX_BODY_BYTES/,
      () => post('/v1/denoise', Buffer.alloc(5_000_000), png),
    ],
    'not JSON': [
      400,
      'bad-body',
      /not JSON/,
      () => post('/v1/recover', '{"measurements":', JSON_TYPE),
    ],
    'wrong length': [400, 'bad-measurements', /12/, () => recover({ measurements: [1, 2, 3] })],
    'not numbers': [
      400,
      'bad-measurements',
      /must be a number/,
      () => recover({ measurements: vector().map(String) }),
    ],
    null: [400, 'bad-measurements', /null/, () => recover({ measurements: [null, ...vector(11)] })],
    'NaN in raw floats': [
      400,
      'bad-measurements',
      /finite/,
      () => post('/v1/recover', Buffer.from(new Float32Array(12).fill(Number.NaN).buffer), octets),
    ],
    'infinite once it is float32': [
      400,
      'bad-measurements',
      /finite|large/,
      () => recover({ measurements: [1e300, ...vector(11)] }),
    ],
    '0 rows': [400, 'bad-measurements', /at least one|empty/, () => recover({ measurements: [] })],
    '100,000 rows': [
      413,
      'too-large',
      /at most/,
      () => recover({ measurements: Array.from({ length: 100_000 }, () => [1]) }),
    ],
    'octets that are no multiple': [
      400,
      'bad-measurements',
      /48/,
      () => post('/v1/recover', Buffer.alloc(50), octets),
    ],
    '.npy of complex numbers': [
      400,
      'bad-measurements',
      /complex/,
      () =>
        post(
          '/v1/recover',
          Buffer.from(
            Buffer.from(writeNpy({ shape: [12], data: new Float32Array(12) }))
              .toString('latin1')
              .replace('<f4', '<c8'),
            'latin1',
          ),
          { 'content-type': 'application/x-npy' },
        ),
    ],
    '.npy of version 9': [
      400,
      'bad-measurements',
      /version 9/,
      () => {
        const bytes = Buffer.from(writeNpy({ shape: [12], data: new Float32Array(12) }));
        bytes[6] = 9;
        return post('/v1/recover', bytes, { 'content-type': 'application/x-npy' });
      },
    ],
    'a number nested without end': [
      400,
      'bad-body',
      /nested more than 64 deep/,
      () =>
        post(
          '/v1/recover',
          `{"measurements":[[${'['.repeat(20_000)}1${']'.repeat(20_000)}${',1'.repeat(11)}]]}`,
          JSON_TYPE,
        ),
    ],
    'a threshold nested without end': [
      400,
      'bad-body',
      /nested more than 64 deep/,
      () =>
        post(
          '/v1/recover',
          `{"measurements":[],"stopping":{"threshold":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
          JSON_TYPE,
        ),
    ],
    'unknown field': [
      400,
      'bad-body',
      /signals/,
      () => recover({ measurements: vector(), signals: 1 }),
    ],
  };
  it.each(Object.entries(cases))('%s', (_, bad) => expectProblem(service, bad));
});
