/** Decoding and encoding of images: what goes in comes out. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { formats, type ImageFormat } from '../../src/codecs/formats.ts';
import {
  decodeImage,
  encodeImage,
  readImage,
  readSquare,
  type DecodedImage,
} from '../../src/codecs/images.ts';
import { metadata, MOST, picture, size, worst } from './pictures.ts';

describe('round trip', () => {
  const kinds = [1, 3].flatMap((channels) =>
    [8, 16].flatMap((bits) => [false, true].map((alpha) => ({ channels, bits, alpha }))),
  ) as {
    channels: 1 | 3;
    bits: 8 | 16;
    alpha: boolean;
  }[];

  it.each(kinds)('is exact in PNG and TIFF: %j', async ({ channels, bits, alpha }) => {
    const image = picture(channels, bits, alpha);
    for (const format of ['png', 'tiff'] as const) {
      const back = await decodeImage(await encodeImage(image, format), MOST);
      expect(back).toMatchObject({ ...size, channels, bits, format });
      expect(worst(back.data, image.data)).toBeLessThan(1e-7);
      if (alpha) expect(worst(back.alpha!, image.alpha!)).toBeLessThan(1e-7);
      else expect(back.alpha).toBeUndefined();
    }
  });

  it.each(kinds)('is close in JPEG, WebP and AVIF: %j', async ({ channels, bits, alpha }) => {
    const image = picture(channels, bits, alpha);
    for (const format of ['jpeg', 'webp', 'avif'] as const) {
      const back = await decodeImage(await encodeImage(image, format), MOST);
      expect(back).toMatchObject({ ...size, bits: 8, format });
      expect(back.channels).toBe(format === 'jpeg' ? channels : 3);
      const first = back.data.subarray(0, image.data.length);
      // JPEG has no alpha: white shows behind.
      const shown = image.data.map((value, i) => {
        const share = (format === 'jpeg' && image.alpha?.[i % image.alpha.length]) || 1;
        return share * value + 1 - share;
      });
      expect(worst(first, shown)).toBeLessThan(0.06);
      if (alpha && format !== 'jpeg') expect(worst(back.alpha!, image.alpha!)).toBeLessThan(0.06);
      else expect(back.alpha).toBeUndefined();
    }
  });

  it('shortens 16 bits to the nearest of 8, with and without metadata to keep', async () => {
    const image = picture(3, 16);
    const source = await sharp(await encodeImage(image, 'png'))
      .withExif({ IFD0: { Copyright: 'A' } })
      .png()
      .toBuffer();
    for (const from of [image, { ...image, source }]) {
      const webp = await sharp(await encodeImage(from, 'webp'))
        .raw()
        .toBuffer();
      const mean = webp.reduce((sum, value) => sum + value, 0) / webp.length / 255;
      expect(mean).toBeCloseTo(
        image.data.reduce((sum, value) => sum + value, 0) / image.data.length,
        3,
      );
    }
  });

  it('clips what is out of range', async () => {
    const image = picture(1);
    image.data.set([-3, 7]);
    const back = await decodeImage(await encodeImage(image, 'png'), MOST);
    expect([...back.data.subarray(0, 2)]).toEqual([0, 1]);
  });
});

describe('metadata', () => {
  const tagged = (image: DecodedImage, format: ImageFormat, profile = 'p3'): Promise<Buffer> =>
    encodeImage(image, 'png').then((bytes) =>
      sharp(bytes)
        .withIccProfile(profile)
        .withExif({ IFD0: { Copyright: 'Jane Doe' } })
        .withDensity(300)
        .toFormat(format, { quality: 100 })
        .toBuffer(),
    );

  it.each(formats)('%s keeps ICC profile, EXIF and the values of the pixels', async (format) => {
    const file = await tagged(picture(3), format);
    const image = await decodeImage(file, MOST);
    const answer = await encodeImage(image, format);
    const [before, after] = [await metadata(file), await metadata(answer)];
    expect(after.icc).toEqual(before.icc);
    expect(before.icc).toBeDefined();
    if (format !== 'tiff') expect(after.exif?.includes('Jane Doe')).toBe(true);
    if (format === 'png' || format === 'jpeg') expect(after.density).toBe(300);
    expect(worst((await decodeImage(answer, MOST)).data, image.data)).toBeLessThan(0.05);
  });

  it.each([
    [1, 8, true],
    [1, 16, false],
    [3, 16, true],
    [3, 8, true],
  ] as const)(
    'new pixels take the place of the old exactly: %i channels, %i bits, alpha %s',
    async (channels, bits, alpha) => {
      const old = picture(channels, bits, alpha);
      const file = await sharp(await encodeImage(old, 'png'))
        .withExif({ IFD0: { Copyright: 'Jane Doe' } })
        .toColourspace(
          channels === 1 ? (bits === 16 ? 'grey16' : 'b-w') : bits === 16 ? 'rgb16' : 'srgb',
        )
        .png()
        .toBuffer();
      const image = await decodeImage(file, MOST);
      expect(image).toMatchObject({ channels, bits, source: file });
      const other = { ...image, data: image.data.map((value) => 1 - value) };
      const back = await decodeImage(await encodeImage(other, 'png'), MOST);
      expect(back).toMatchObject({ channels, bits });
      expect(worst(back.data, other.data)).toBeLessThan(1e-6);
      if (alpha) expect(worst(back.alpha!, old.alpha!)).toBeLessThan(1e-6);
      expect((await metadata(await encodeImage(other, 'jpeg'))).exif?.includes('Jane Doe')).toBe(
        true,
      );
    },
  );

  it('gives gray images with a gray profile no such profile in a format of three channels', async () => {
    const file = await sharp(await encodeImage(picture(1), 'png'))
      .withExif({ IFD0: { Copyright: 'Jane Doe' } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    const answer = await metadata(await encodeImage(await decodeImage(file, MOST), 'webp'));
    expect(answer.icc).toBeUndefined();
    expect(answer.exif).toBeDefined();
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('honours orientation %i once', async (orientation) => {
    const upright = await sharp(await encodeImage(picture(3), 'png'))
      .resize(40, 24, { fit: 'fill' })
      .png()
      .toBuffer();
    const file = await sharp(upright).withMetadata({ orientation }).png().toBuffer();
    const image = await decodeImage(file, MOST);
    const expected = await sharp(file).autoOrient().raw().toBuffer({ resolveWithObject: true });
    expect([image.width, image.height]).toEqual([expected.info.width, expected.info.height]);
    expect(Math.abs(image.data[1]! * 255 - expected.data[3]!)).toBeLessThan(0.01);
    const answer = await encodeImage(image, 'png');
    const after = await metadata(answer);
    expect(after.orientation ?? 1).toBe(1);
    expect(worst((await decodeImage(answer, MOST)).data, image.data)).toBeLessThan(1e-6);
  });

  it('takes CMYK as RGB', async () => {
    const file = await sharp(await encodeImage(picture(3), 'png'))
      .toColourspace('cmyk')
      .withIccProfile('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer();
    const image = await decodeImage(file, MOST);
    expect(image.channels).toBe(3);
    expect(worst(image.data, picture(3).data)).toBeLessThan(0.3);
    expect((await metadata(await encodeImage(image, 'jpeg'))).space).toBe('srgb');
  });
});

describe('readImage', () => {
  it('refuses a file that is not there', async () => {
    await expect(readImage('/nowhere/none.png')).rejects.toThrow();
  });
});

describe('readSquare', () => {
  const png = (image: Parameters<typeof encodeImage>[0]): Promise<Uint8Array> =>
    encodeImage(image, 'png');
  const frame = { format: 'png', bits: 8, alpha: undefined, source: undefined } as const;

  it('scales the central square, in colour also where the file is gray', async () => {
    // 4×2 pixels: the middle half is white, the sides are black.
    const bytes = await png({
      ...frame,
      channels: 1,
      width: 4,
      height: 2,
      data: Float32Array.of(0, 1, 1, 0, 0, 1, 1, 0),
    });
    const { data, ...size } = await readSquare(bytes, 2, 3);
    expect(size).toEqual({ channels: 3, width: 2, height: 2 });
    expect([...data]).toEqual(new Array(12).fill(1));
  });

  it('leaves an image of that size as it is, and shows transparent parts as white', async () => {
    const data = Float32Array.from({ length: 12 }, (_, i) => i / 255);
    const image = { ...frame, channels: 3, width: 2, height: 2, data } as const;
    expect([...(await readSquare(await png(image), 2, 3)).data]).toEqual([...data]);
    const half = await readSquare(
      await png({ ...image, alpha: Float32Array.of(1, 0, 1, 1) }),
      2,
      3,
    );
    expect([half.data[0], half.data[1], half.data[5], half.data[9]]).toEqual([data[0], 1, 1, 1]);
  });

  it('refuses what is empty, broken or too large', async () => {
    const bytes = await png({
      ...frame,
      channels: 1,
      width: 40,
      height: 40,
      data: new Float32Array(1600),
    });
    await expect(readSquare(new Uint8Array(), 8, 3)).rejects.toThrow('empty');
    await expect(readSquare(bytes.subarray(0, 40), 8, 3)).rejects.toMatchObject({
      code: 'bad-image',
    });
    await expect(readSquare(bytes, 8, 3, 1599)).rejects.toMatchObject({ code: 'too-large' });
  });
});
