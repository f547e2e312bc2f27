/** Images that are refused: damaged, too large, or of a format that is not taken. */
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { formats } from '../../src/codecs/formats.ts';
import { decodeImage, encodeImage } from '../../src/codecs/images.ts';
import { Problem, type ProblemCode } from '../../src/errors.ts';
import { chunk } from './metadata-files.ts';
import { metadata, MOST, picture } from './pictures.ts';
import { cpuMs } from '../support/cpu-ms.ts';

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
    const started = cpuMs();
    const { code, status, message } = await problem(decodeImage(bomb(40_000, 40_000), MOST));
    expect([code, status]).toEqual(['too-large', 413]);
    expect(message).toMatch(/40000×40000.*at most 40000000/);
    expect(cpuMs() - started).toBeLessThan(1000);
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
    const started = cpuMs();
    expect((await problem(decodeImage(Buffer.from(svg), MOST))).code).toBe('bad-image');
    expect(cpuMs() - started).toBeLessThan(50);
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
