/** Colours that are described by profiles, code points and gamma. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { codePointsOf } from '../../src/codecs/avif.ts';
import { colourFault } from '../../src/codecs/colour.ts';
import type { ImageFormat } from '../../src/codecs/formats.ts';
import {
  decodeImage,
  encodeImage,
  readDrawing,
  readHeader,
  readSquare,
  type DecodedImage,
} from '../../src/codecs/images.ts';
import { profileChunk } from '../../src/codecs/png.ts';
import { chunk, pngChunks, withCodePoints, withPngChunks } from './metadata-files.ts';

const MOST = 1e6;
const [width, height] = [40, 24];
const frame = { width, height, format: 'png', alpha: undefined, source: undefined } as const;

function picture(channels: 1 | 3, bits: 8 | 16 = 8): DecodedImage {
  const length = channels * width * height;
  const most = 2 ** bits - 1;
  const data = Float32Array.from(
    { length },
    (_, i) => Math.round(most * (0.5 + 0.45 * Math.sin(i / 37) * Math.cos(i / 211))) / most,
  );
  return { ...frame, channels, bits, data };
}

/** A gray profile whose values are proportional to light. */
function linearGray(): Buffer {
  const tags: [string, string][] = [
    ['wtpt', 'XYZ \0\0\0\0\0\0\xf6\xd6\0\x01\0\0\0\0\xd3\x2d'],
    ['kTRC', 'curv\0\0\0\0\0\0\0\0'],
    ['desc', 'desc\0\0\0\0\0\0\0\x05gray\0' + '\0'.repeat(79)],
    ['cprt', 'text\0\0\0\0none\0'],
  ];
  let at = 128 + 4 + 12 * tags.length;
  const profile = Buffer.alloc(400);
  tags.forEach(([name, value], i) => {
    profile.write(name, 132 + 12 * i, 'latin1');
    profile.writeUInt32BE(at, 136 + 12 * i);
    profile.writeUInt32BE(value.length, 140 + 12 * i);
    profile.write(value, at, 'latin1');
    at += value.length + ((4 - (value.length % 4)) % 4);
  });
  profile.writeUInt32BE(profile.length, 0);
  profile.writeUInt32BE(0x02_30_00_00, 8);
  profile.write('mntrGRAYXYZ ', 12, 'latin1');
  profile.write('acsp', 36, 'latin1');
  profile.writeUInt32BE(0xf6d6, 68);
  profile.writeUInt32BE(0x10000, 72);
  profile.writeUInt32BE(0xd32d, 76);
  profile.writeUInt32BE(tags.length, 128);
  return profile;
}

/** IEC 61966-2-1. */
const toLinear = (v: number): number => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);

const withLinearGray = async (bits: 8 | 16): Promise<Buffer> => {
  const image = picture(1, bits);
  const png = await encodeImage({ ...image, data: image.data.map(toLinear) }, 'png');
  const { type, data } = profileChunk(linearGray());
  return withPngChunks(png, chunk(type, data));
};

const worst = (a: Float32Array, b: Float32Array): number => {
  expect(a.length).toBe(b.length);
  return 255 * a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};

describe('a gray profile', () => {
  it.each([
    ['webp', 8],
    ['webp', 16],
    ['avif', 8],
  ] as const)('is applied in %s, from %i bits', async (format, bits) => {
    const image = await decodeImage(await withLinearGray(bits), MOST);
    const answer = await encodeImage(image, format, { quality: 100 });
    const { data } = await decodeImage(answer, MOST);
    const first = data.subarray(0, width * height);
    // Steps of 8 bits in linear light are steps of 3 levels in sRGB, where the picture is darkest.
    expect(worst(first, picture(1).data)).toBeLessThan(5);
  });

  it.each(['png', 'jpeg', 'tiff'] as const)('is kept in %s', async (format) => {
    const image = await decodeImage(await withLinearGray(8), MOST);
    const answer = await encodeImage(image, format, { metadata: 'strip', quality: 100 });
    expect((await sharp(answer).metadata()).icc).toEqual(linearGray());
    expect(worst((await decodeImage(answer, MOST)).data, image.data)).toBeLessThan(4);
  });
});

describe('recognition reads sRGB whatever the profile', () => {
  const tagged = async (bits: 8 | 16, profile: string): Promise<Uint8Array> =>
    sharp(await encodeImage(picture(3, bits), 'png'))
      .toColourspace(bits === 16 ? 'rgb16' : 'srgb')
      .withIccProfile(profile)
      .png()
      .toBuffer();

  it('in colour of 8 bits', async () => {
    const plain = await encodeImage(picture(3), 'png');
    const p3 = await tagged(8, 'p3');
    expect(worst((await decodeImage(p3, MOST)).data, picture(3).data)).toBeGreaterThan(9);
    const [a, b] = await Promise.all([readSquare(plain, 16, 3), readSquare(p3, 16, 3)]);
    expect(worst(a.data, b.data)).toBeLessThan(4);
    const [c, d] = await Promise.all([readDrawing(plain), readDrawing(p3)]);
    expect(worst(c.data, d.data)).toBeLessThan(4);
  });

  it('in colour of 16 bits', async () => {
    // sharp writes colours of 16 bits in Display P3 by their numbers; the profile says what they mean.
    const plain = await encodeImage(picture(3, 16), 'png');
    const icc = (await sharp(await tagged(8, 'srgb')).metadata()).icc!;
    const { type, data } = profileChunk(icc);
    const file = withPngChunks(plain, chunk(type, data));
    const [a, b] = await Promise.all([readSquare(plain, 16, 3), readSquare(file, 16, 3)]);
    expect(worst(a.data, b.data)).toBeLessThan(3);
  });

  it.each([8, 16] as const)('in gray of %i bits', async (bits) => {
    const plain = await encodeImage(picture(1), 'png');
    const file = await withLinearGray(bits);
    const [a, b] = await Promise.all([readSquare(plain, 16, 1), readSquare(file, 16, 1)]);
    expect(worst(a.data, b.data)).toBeLessThan(bits === 16 ? 1.5 : 3);
    const [c, d] = await Promise.all([readDrawing(plain), readDrawing(file)]);
    expect(worst(c.data, d.data)).toBeLessThan(bits === 16 ? 1.5 : 4);
  });
});

const fault = async (file: Uint8Array, format: ImageFormat): Promise<string | undefined> =>
  colourFault(file, await readHeader(file, MOST), format);

describe('code points of AVIF', () => {
  const coded = async (primaries: number, transfer: number): Promise<Buffer> => {
    return withCodePoints(await encodeImage(picture(3), 'avif'), primaries, transfer);
  };

  it.each([
    [9, 16, 'PQ'],
    [9, 18, 'HLG'],
    [12, 13, 'primaries 12, transfer 13'],
  ])('%i and %i are kept in PNG, refused elsewhere', async (primaries, transfer, name) => {
    const file = await coded(primaries, transfer);
    expect(codePointsOf(file)).toEqual({ primaries, transfer });
    for (const format of ['avif', 'jpeg', 'webp', 'tiff'] as const)
      expect(await fault(file, format)).toMatch(`code points (${name})`);
    expect(await fault(file, 'png')).toBeUndefined();
    const png = await encodeImage(await decodeImage(file, MOST), 'png', { metadata: 'strip' });
    expect(pngChunks(png)).toContainEqual([
      'cICP',
      Buffer.of(primaries, transfer, 0, 1).toString('latin1'),
    ]);
  });

  it('sRGB is taken in every format', async () => {
    expect(await fault(await coded(1, 13), 'avif')).toBeUndefined();
    expect(await fault(await coded(1, 13), 'jpeg')).toBeUndefined();
  });

  it('damaged boxes are taken for none', async () => {
    const file = await coded(9, 16);
    for (let at = 0; at < 300; at++) {
      const damaged = Buffer.from(file);
      damaged[at]! ^= 0xff;
      expect(() => codePointsOf(damaged)).not.toThrow();
      expect(() => codePointsOf(file.subarray(0, at))).not.toThrow();
    }
  });

  it.each([10, 12])('%i bits are kept in PNG and TIFF alone', async (bitsPerSample) => {
    const file = await coded(1, 13);
    const header = { ...(await readHeader(file, MOST)), bitsPerSample };
    expect(colourFault(file, header, 'avif')).toMatch(
      new RegExp(`${bitsPerSample} bits a channel.*format=png or format=tiff`),
    );
    for (const format of ['png', 'tiff', 'webp'] as const)
      expect(colourFault(file, header, format)).toBeUndefined();
  });
});

describe('colours of PNG', () => {
  const png = async (...chunks: Buffer[]): Promise<Buffer> =>
    withPngChunks(await encodeImage(picture(3), 'png'), ...chunks);
  const gamma = (number: number): Buffer => {
    const data = Buffer.alloc(4);
    data.writeUInt32BE(number);
    return chunk('gAMA', data);
  };
  const primaries = (...numbers: number[]): Buffer =>
    chunk(
      'cHRM',
      Buffer.concat(numbers.map((number) => Buffer.of(0, number >> 16, number >> 8, number))),
    );
  const usual = primaries(31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000);
  const adobe = primaries(31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000);
  const sRGB = chunk('sRGB', Buffer.of(0));

  it.each([
    ['PQ', [chunk('cICP', Buffer.of(9, 16, 0, 1))], /cICP chunk \(PQ\)/],
    ['Display P3', [chunk('cICP', Buffer.of(12, 13, 0, 1))], /cICP chunk \(primaries 12/],
    ['linear light', [gamma(100_000)], /gAMA chunk \(1\)/],
    ['other primaries', [gamma(45_455), adobe], /cHRM chunk/],
  ] as const)('%s is refused in other formats', async (_, chunks, sentence) => {
    const file = await png(...chunks);
    for (const format of ['jpeg', 'webp', 'avif', 'tiff'] as const)
      expect(await fault(file, format)).toMatch(sentence);
    expect(await fault(file, 'png')).toBeUndefined();
  });

  it.each([
    ['nothing', []],
    ['the usual gamma and primaries', [gamma(45_455), usual]],
    ['sRGB, whatever else', [gamma(100_000), adobe, sRGB]],
    ['code points of sRGB, whatever else', [chunk('cICP', Buffer.of(1, 13, 0, 1)), gamma(100_000)]],
    ['chunks that are damaged', [chunk('gAMA', '\0'), chunk('cICP', '\x09'), chunk('cHRM', '')]],
  ] as const)('%s is no hindrance', async (_, chunks) => {
    expect(await fault(await png(...chunks), 'jpeg')).toBeUndefined();
  });
});
