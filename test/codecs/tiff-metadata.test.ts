/** What a TIFF's answer takes over from its first directory. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readDirectory, type Directory } from '../../src/codecs/ifd.ts';
import { decodeImage, encodeImage } from '../../src/codecs/images.ts';
import { tiffOf, type Entry, type Order } from './metadata-files.ts';

const MOST = 1e6;
const EXIF = 34_665;
const GPS = 34_853;
const pixels = Buffer.from([0, 50, 100, 150, 200, 250]);

/** 3×2 gray pixels. */
const layout: readonly Entry[] = [
  [256, 4, [3]],
  [257, 4, [2]],
  [258, 3, [8]],
  [259, 3, [1]],
  [262, 3, [1]],
  [273, 4, [8]],
  [277, 3, [1]],
  [278, 4, [2]],
  [279, 4, [pixels.length]],
];
const resolution: readonly Entry[] = [
  [282, 5, [11811, 100]],
  [283, 5, [11811, 100]],
  [296, 3, [3]],
];
const told: readonly Entry[] = [
  [270, 2, 'A tower'],
  [271, 2, 'ACME'],
  [272, 2, 'X1'],
  [305, 2, 'a scanner'],
  [306, 2, '2024:05:06 07:08:09'],
  [315, 2, 'Jane Doe'],
  [700, 1, [...Buffer.from('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')]],
  [33_432, 2, '(c) Jane Doe'],
  [33_723, 7, [...Buffer.from('\x1c\x02\x19\0\x05paris', 'latin1')]],
];
const children = {
  [EXIF]: [
    [33_434, 5, [1, 125]],
    [36_867, 2, '2024:05:06 07:08:09'],
  ] as Entry[],
  [GPS]: [
    [1, 2, 'N'],
    [2, 5, [48, 1, 51, 1, 30, 1]],
  ] as Entry[],
};

const file = (order: Order, more: readonly Entry[] = []): Buffer =>
  tiffOf(order, [...layout, ...resolution, ...told, ...more], { data: pixels, children });

const answerTo = async (source: Uint8Array, metadata: 'keep' | 'strip' = 'keep'): Promise<Buffer> =>
  Buffer.from(await encodeImage(await decodeImage(source, MOST), 'tiff', { metadata }));

/** The value of a tag as text. */
const valueOf = ({ fields }: Directory, tag: number): string | undefined =>
  fields.find((field) => field.tag === tag)?.value.toString('latin1');

describe.each(['II', 'MM'] as const)('a TIFF in the byte order %s', (order) => {
  it('keeps its description, EXIF, GPS, IPTC, XMP and resolution', async () => {
    const answer = await answerTo(file(order));
    const directory = readDirectory(answer)!;
    for (const [tag, , value] of told)
      expect(valueOf(directory, tag)).toBe(
        typeof value === 'string' ? `${value}\0` : Buffer.from(value).toString('latin1'),
      );
    const [exif, gps] = [directory.children.get(EXIF)!, directory.children.get(GPS)!];
    expect(valueOf(exif, 36_867)).toBe('2024:05:06 07:08:09\0');
    expect(exif.fields.find(({ tag }) => tag === 33_434)!.value).toEqual(
      Buffer.of(1, 0, 0, 0, 125, 0, 0, 0),
    );
    expect(valueOf(gps, 2)).toBe('\x30\0\0\0\x01\0\0\0\x33\0\0\0\x01\0\0\0\x1e\0\0\0\x01\0\0\0');
    expect(await sharp(answer).metadata()).toMatchObject({ density: 300, resolutionUnit: 'cm' });
    const back = await decodeImage(answer, MOST);
    expect([...back.data].map((value) => Math.round(255 * value))).toEqual([...pixels]);
  });

  it('keeps its resolution alone where metadata is stripped', async () => {
    const answer = await answerTo(file(order), 'strip');
    const directory = readDirectory(answer)!;
    expect(directory.children.size).toBe(0);
    for (const [tag] of told) expect(valueOf(directory, tag), String(tag)).toBeUndefined();
    expect((await sharp(answer).metadata()).density).toBe(300);
  });

  it('is upright in its answer', async () => {
    const answer = await answerTo(file(order, [[274, 3, [6]]]));
    const { width, height, orientation = 1 } = await sharp(answer).metadata();
    expect([width, height, orientation]).toEqual([2, 3, 1]);
  });
});

it('the description goes to JPEG as EXIF', async () => {
  const image = await decodeImage(file('MM'), MOST);
  const { exif, density } = await sharp(await encodeImage(image, 'jpeg')).metadata();
  expect(exif?.includes('Jane Doe')).toBe(true);
  expect(density).toBe(300);
});

it('the resolution of 72 dpi is written where a file tells none', async () => {
  const answer = await answerTo(tiffOf('II', layout, { data: pixels }));
  expect((await sharp(answer).metadata()).density).toBe(72);
});

describe('a directory that lies', () => {
  it('drops what lies outside the file and keeps the rest', async () => {
    const source = file('II', [[316, 2, 'a host whose place is outside']]);
    const entry = source.indexOf(Buffer.of(316 & 255, 316 >> 8, 2, 0));
    source.writeUInt32LE(0xfffffff0, entry + 8);
    const directory = readDirectory(await answerTo(source))!;
    expect(valueOf(directory, 316)).toBeUndefined();
    expect(valueOf(directory, 315)).toBe('Jane Doe\0');
  });

  it('takes no more bytes than the file has, however often it points to them', () => {
    const large = 100_000;
    const entries = Array.from({ length: 900 }, (_, i): Entry => [1000 + i, 7, [1, 2, 3, 4, 5]]);
    const source = tiffOf('II', entries, { data: Buffer.alloc(large) });
    const at = source.readUInt32LE(4) + 2;
    for (let i = 0; i < entries.length; i++) {
      source.writeUInt32LE(large, at + 12 * i + 4);
      source.writeUInt32LE(8, at + 12 * i + 8);
    }
    const bytes = readDirectory(source)!.fields.reduce((sum, { value }) => sum + value.length, 0);
    expect(bytes).toBe(large);
  });

  it('follows no pointer twice', () => {
    const source = tiffOf('II', [[315, 2, 'Jane Doe']], {
      children: { [EXIF]: [[36_867, 2, '2024']] },
    });
    const first = source.readUInt32LE(4);
    const pointer = source.indexOf(Buffer.of(EXIF & 255, EXIF >> 8, 4, 0), first);
    source.writeUInt32LE(first, pointer + 8);
    const directory = readDirectory(source)!;
    expect(directory.children.get(EXIF)!.children.size).toBe(0);
  });
});
