/** Formats that would lose an image's colours or bits are refused before any pixel is decoded. */
import { describe, expect, it } from 'vitest';
import { encodeImage, type DecodedImage } from '../../../src/codecs/images.ts';
import { denoise } from '../../../src/tasks/denoise/serve.ts';
import { chunk, withCodePoints, withPngChunks } from '../../codecs/metadata-files.ts';
import { byName, manifest } from '../fixtures.ts';

const models = byName(
  manifest('denoise-gray', 'denoise', ['N', 1, '2*h', '2*w']),
  manifest('denoise-color', 'denoise', ['N', 3, '2*h', '2*w']),
);
const picture: DecodedImage = {
  ...{ width: 16, height: 16, channels: 3, bits: 8, format: 'png' },
  ...{ alpha: undefined, source: undefined },
  data: Float32Array.from({ length: 768 }, (_, i) => ((i * 7) % 251) / 255),
};

/** Whether the request was let in, and what it was refused with. */
async function sent(body: Uint8Array, options: Record<string, string>) {
  let isAdmitted = false;
  const admit = (): Promise<void> => {
    isAdmitted = true;
    return Promise.resolve();
  };
  const type = denoise.wanted?.(options);
  const request = {
    ...{ task: 'denoise', contentType: 'image/png', body, stopping: {}, options },
    ...(type !== undefined && { accept: [type] }),
  };
  const context = {
    models,
    files: () => Promise.reject(new Error('no files')),
    settings: { maxPixels: 1e6 },
    admit,
  };
  const refused: unknown = await denoise.decode(request, context).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { isAdmitted, refused };
}

describe('an image whose colours are described by code points', () => {
  it.each([
    [
      'PNG',
      async () =>
        withPngChunks(await encodeImage(picture, 'png'), chunk('cICP', Buffer.of(9, 16, 0, 1))),
      'webp',
    ],
    ['AVIF', async () => withCodePoints(await encodeImage(picture, 'avif'), 9, 18), 'avif'],
  ] as const)('%s', async (_, draw, format) => {
    const body = await draw();
    const { isAdmitted, refused } = await sent(body, { format });
    expect(refused).toMatchObject({
      code: 'bad-parameter',
      message: expect.stringMatching(/PQ|HLG/) as string,
    });
    expect(isAdmitted).toBe(false);
    for (const possible of ['png', 'depth'])
      expect(await sent(body, { format: possible })).toEqual({
        isAdmitted: true,
        refused: undefined,
      });
  });
});

it('the answer in JSON holds an image as well', async () => {
  const body = withCodePoints(await encodeImage(picture, 'avif'), 9, 16);
  expect((await sent(body, { format: 'json' })).refused).toMatchObject({ code: 'bad-parameter' });
});
