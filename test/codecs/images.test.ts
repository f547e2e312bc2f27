import { deflateSync } from 'node:zlib';
import sharp, { type Metadata } from 'sharp';
import { describe, expect, it } from 'vitest';
import { formats, type ImageFormat } from '../../src/codecs/formats.ts';
import {
  decodeImage,
  encodeImage,
  readImage,
  readSquare,
  type DecodedImage,
} from '../../src/codecs/images.ts';
import { Problem, type ProblemCode } from '../../src/errors.ts';

const MOST = 40e6;
const size = { width: 48, height: 32 };

/** A smooth image whose channels differ. */
function picture(channels: 1 | 3, bits: 8 | 16 = 8, alpha = false): DecodedImage {
  const { width, height } = size;
  const most = 2 ** bits - 1;
  const plane = (c: number): number[] =>
    Array.from(
      { length: width * height },
      (_, i) =>
        Math.round(most * (0.5 + 0.4 * Math.sin((i % width) / 9 + c) * Math.cos(i / width / 7))) /
        most,
    );
  const data = Float32Array.from(Array.from({ length: channels }, (_, c) => plane(c)).flat());
  return {
    ...size,
    channels,
    bits,
    data,
    format: 'png',
    alpha: alpha ? Float32Array.from(plane(5)) : undefined,
    source: undefined,
  };
}

const worst = (a: Float32Array, b: Float32Array): number => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};

const metadata = (bytes: Uint8Array): Promise<Metadata> => sharp(bytes).metadata();

async function problem(
  work: Promise<unknown>,
): Promise<{ code: ProblemCode; status: number; message: string }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
}

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

describe('bad images', () => {
  it.each(formats)('a %s cut anywhere is refused', async (format) => {
    const whole = await encodeImage(picture(3), format);
    for (const share of [0.01, 0.1, 0.3, 0.6, 0.9, 0.97]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      const { code, message } = await problem(decodeImage(cut, MOST));
      expect(code).toBe('bad-image');
      expect(message).not.toContain('undefined');
    }
  });

  it('a PNG with a damaged byte in its pixels is refused', async () => {
    const bytes = Uint8Array.from(await encodeImage(picture(3), 'png'));
    bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
    expect((await problem(decodeImage(bytes, MOST))).code).toBe('bad-image');
  });

  it('a header that claims 40,000×40,000 is refused before anything is decoded', async () => {
    const started = performance.now();
    const { code, status, message } = await problem(decodeImage(bomb(40_000, 40_000), MOST));
    expect([code, status]).toEqual(['too-large', 413]);
    expect(message).toMatch(/40000×40000.*at most 40000000/);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(process.memoryUsage().rss).toBeLessThan(1e9);
  });

  it('one pixel more than the limit is refused, the limit itself is taken', async () => {
    const bytes = await encodeImage(picture(1), 'png');
    expect((await decodeImage(bytes, 48 * 32)).width).toBe(48);
    expect((await problem(decodeImage(bytes, 48 * 32 - 1))).code).toBe('too-large');
  });

  it('what is no image, is empty, is animated or is of another format is refused with a sentence', async () => {
    const frame = Buffer.from(await encodeImage(picture(3), 'png'));
    const other = Buffer.from(
      await encodeImage({ ...picture(3), data: picture(3).data.map((value) => 1 - value) }, 'png'),
    );
    const frames = await sharp([frame, other], { join: { animated: true } })
      .webp()
      .toBuffer();
    const gif = await sharp(await encodeImage(picture(3), 'png'))
      .gif()
      .toBuffer();
    const cases: [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /empty/],
      [new TextEncoder().encode('hello, this is not an image'), /cannot be decoded/],
      [frames, /2 frames/],
      [gif, /GIF is not taken; send png/],
      [
        new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        /SVG is not taken; send png/,
      ],
    ];
    for (const [bytes, sentence] of cases) {
      const { code, message } = await problem(decodeImage(bytes, MOST));
      expect(code).toBe('bad-image');
      expect(message).toMatch(sentence);
    }
  });

  it('an image of floating-point numbers is refused by what it is', async () => {
    expect((await problem(decodeImage(floatTiff(), MOST))).message).toMatch(
      /floating-point numbers \(32 bits\).*whole numbers of 8 or 16 bits/,
    );
  });

  it('an animated PNG is refused', async () => {
    const still = Buffer.from(await encodeImage(picture(3), 'png'));
    const file = Buffer.concat([
      still.subarray(0, 33),
      chunk('acTL', Buffer.of(0, 0, 0, 2, 0, 0, 0, 0)),
      still.subarray(33),
    ]);
    expect((await problem(decodeImage(file, MOST))).message).toMatch(/PNG is an animation/);
  });
});

describe('formats that are not taken', () => {
  it.each([
    ['BMP', 'BM\x46\0\0\0\0\0\0\0'],
    ['JPEG XL', '\xff\x0a\xa8\x34'],
    ['JPEG XL', '\0\0\0\x0cJXL \r\n\x87\n'],
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n'],
    ['GIF', 'GIF89a\x01\0\x01\0'],
    ['PDF', '%PDF-1.7'],
    ['SVG', '\xef\xbb\xbf<?xml version="1.0"?><!-- a --><svg/>'],
    ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0mif1heic'],
    ['Video', '\0\0\0\x18ftypisom\0\0\0\0isommp42'],
    ['Camera raw', '\0\0\0\x18ftypcrx \0\0\0\0crx isom'],
    ['Camera raw', 'II*\0\x10\0\0\0CR\x02\0\0\0\0\0'],
    ['The AVIF is an animation', '\0\0\0\x18ftypavis\0\0\0\0avifmif1'],
    ['PNM', 'P6\n1 1\n255\nabc'],
    ['Photoshop', '8BPS\0\x01'],
    ['OpenEXR', 'v/1\x01'],
  ])('%s is refused by its first bytes, by name', async (name, bytes) => {
    const { code, message } = await problem(decodeImage(Buffer.from(bytes, 'latin1'), MOST));
    expect([code, message.startsWith(name)], message).toEqual(['bad-image', true]);
    expect(message).toMatch(/; send png, jpeg, webp, avif, tiff\.$/);
  });

  it('an SVG that takes seconds to draw is refused in 50 ms', async () => {
    const levels = Array.from({ length: 18 }, (_, i) =>
      i === 0
        ? '<rect id="a0" width="9" height="9"/>'
        : `<g id="a${i}"><use href="#a${i - 1}"/><use href="#a${i - 1}" x="1"/></g>`,
    );
    const svg = `<svg xmlns="http://www.w3.org/2000/svg"><defs>${levels.join('')}</defs><use href="#a17"/></svg>`;
    const started = performance.now();
    expect((await problem(decodeImage(Buffer.from(svg), MOST))).code).toBe('bad-image');
    expect(performance.now() - started).toBeLessThan(50);
  });

  it('libvips itself reads them no more, should the first bytes deceive', async () => {
    const gif = await sharp(await encodeImage(picture(3), 'png'))
      .gif()
      .toBuffer();
    await expect(sharp(gif).metadata()).rejects.toThrow(/unsupported/);
    await expect(sharp(Buffer.from('<svg width="9" height="9"/>')).metadata()).rejects.toThrow(
      /unsupported/,
    );
  });

  it.each([
    ['its version tag', [[50_706, 1]]],
    [
      'a thumbnail before the picture',
      [
        [254, 1],
        [330, 8],
      ],
    ],
  ] as const)('a raw file is known by %s', async (_, extra) => {
    const file = smallTiff([...extra]);
    expect((await problem(decodeImage(file, MOST))).message).toMatch(/^Camera raw/);
    expect((await decodeImage(smallTiff([[254, 0]]), MOST)).width).toBe(1);
  });
});

describe('a JPEG without its end marker', () => {
  const noisy = async (progressive = false): Promise<Buffer> =>
    sharp(
      Uint8Array.from({ length: 90 * 70 * 3 }, (_, i) => (i * 7919) % 251),
      { raw: { width: 90, height: 70, channels: 3 } },
    )
      .jpeg({ progressive })
      .toBuffer();

  it('is read as with it, and with its metadata', async () => {
    const whole = await sharp(await noisy())
      .withExif({ IFD0: { Artist: 'someone' } })
      .toBuffer();
    const image = await decodeImage(whole.subarray(0, -2), MOST);
    expect(image.data).toEqual((await decodeImage(whole, MOST)).data);
    expect((await metadata(await encodeImage(image, 'jpeg'))).exif).toBeDefined();
  });

  it('is refused where pixels are missing, however few', async () => {
    const whole = await noisy();
    for (const cut of [4, 5, 8, 20, 100, 1000, 2500])
      expect((await problem(decodeImage(whole.subarray(0, -cut), MOST))).code).toBe('bad-image');
  });

  it('is refused where it is progressive: a later scan may be missing', async () => {
    const whole = await noisy(true);
    expect((await problem(decodeImage(whole.subarray(0, -2), MOST))).code).toBe('bad-image');
  });
});

describe('readImage', () => {
  it('refuses a file that is not there', async () => {
    await expect(readImage('/nowhere/none.png')).rejects.toThrow();
  });
});

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A PNG whose header claims a size, with almost no data behind it. */
function bomb(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(new Uint8Array(100))),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

/** The checksum of PNG's chunks. */
function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

/** A TIFF of one gray pixel of 8 bits, with more tags or other values. */
function smallTiff(extra: readonly (readonly [tag: number, value: number])[]): Uint8Array {
  const tags = new Map<number, number>([
    [256, 1],
    [257, 1],
    [258, 8],
    [259, 1],
    [262, 1],
    [273, 8],
    [277, 1],
    [278, 1],
    [279, 1],
    ...extra,
  ]);
  const entries = [...tags].sort(([a], [b]) => a - b);
  const bytes = Buffer.alloc(12 + 2 + 12 * entries.length + 4);
  bytes.write('II*\0', 'latin1');
  bytes.writeUInt32LE(12, 4);
  bytes.writeFloatLE(0.5, 8);
  bytes.writeUInt16LE(entries.length, 12);
  entries.forEach(([tag, value], i) => {
    const at = 14 + 12 * i;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(4, at + 2);
    bytes.writeUInt32LE(1, at + 4);
    bytes.writeUInt32LE(value, at + 8);
  });
  return bytes;
}

const floatTiff = (): Uint8Array =>
  smallTiff([
    [258, 32],
    [279, 4],
    [339, 3],
  ]);

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
