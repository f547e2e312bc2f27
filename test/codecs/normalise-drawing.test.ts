import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readDrawing, type Planes } from '../../src/codecs/images.ts';
import { inverted, thicken } from '../../src/codecs/ink.ts';
import { normaliseDrawing } from '../../src/codecs/normalise-drawing.ts';
import { resize } from '../../src/codecs/resize.ts';
import { drawCharacters } from '../../src/data/characters.ts';
import { place } from '../../src/data/drawings.ts';
import { Random } from '../../src/data/random.ts';

const SIDE = 28;
const { images } = drawCharacters(6, 1, 84, new Random(5));
const cases = images.map((image, i) => [i, image] as const);

const normalised = (image: Planes): Float32Array => normaliseDrawing(image, SIDE)!.data;
/** The correlation of two images, 1 where they are alike. */
function likeness(a: Float32Array, b: Float32Array): number {
  const mean = (x: Float32Array): number => x.reduce((s, v) => s + v, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((v, i) => {
    ab += (v - ma) * (b[i]! - mb);
    aa += (v - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  });
  return ab / Math.sqrt(aa * bb);
}
const png = (planes: Uint8Array, channels: 1 | 2 | 4, side = 84): Promise<Buffer> =>
  sharp(planes, { raw: { width: side, height: side, channels: channels as 1 } })
    .png()
    .toBuffer();
/** Ink of one colour whose alpha is the stroke. */
const transparent = ({ data }: Planes, colour: number): Promise<Buffer> =>
  png(
    Uint8Array.from({ length: 4 * data.length }, (_, i) =>
      i % 4 === 3 ? Math.round(255 * (1 - data[i >> 2]!)) : colour,
    ),
    4,
  );

describe('a normalised drawing', () => {
  it.each(cases)('%i fills the image but for a margin, dark on light', (_, image) => {
    const { width, height, data } = normaliseDrawing(image, SIDE)!;
    expect([width, height]).toEqual([SIDE, SIDE]);
    const dark = [...data].flatMap((value, i) => (value < 0.5 ? [i] : []));
    const spread = (at: (i: number) => number): number =>
      Math.max(...dark.map(at)) - Math.min(...dark.map(at));
    const extent = Math.max(
      spread((i) => i % SIDE),
      spread((i) => Math.floor(i / SIDE)),
    );
    expect(extent).toBeGreaterThan(SIDE - 8);
    expect(extent).toBeLessThan(SIDE - 1);
    expect(Math.max(...data)).toBe(1);
    expect(Math.min(...data)).toBeLessThan(0.4);
  });

  it.each(cases)('%i is the same in light ink, and in gray ink on gray paper', (_, image) => {
    const faint = { ...image, data: image.data.map((value) => 0.4 + 0.25 * value) };
    expect(likeness(normalised(inverted(image)), normalised(image))).toBeGreaterThan(0.999);
    expect(likeness(normalised(faint), normalised(image))).toBeGreaterThan(0.95);
    expect(likeness(normalised(inverted(faint)), normalised(image))).toBeGreaterThan(0.95);
  });

  it.each(cases)('%i is the same wherever it lies, and of whatever size', (_, image) => {
    const ink = inverted(resize(image, 168, 168));
    for (const [size, across, down] of [
      [1, 0, 1],
      [0.5, 1, 0],
      [0.3, 0.9, 0.8],
    ] as const) {
      const moved = normalised(inverted(place(ink, { size, across, down })));
      expect(likeness(moved, normalised(image))).toBeGreaterThan(0.9);
    }
  });

  it.each(cases)('%i is nearly the same in a broad pen', (_, image) => {
    const broad = inverted(thicken(inverted(image), 1.5));
    expect(likeness(normalised(broad), normalised(image))).toBeGreaterThan(0.85);
  });

  it('keeps its shape where ink covers much of the border', () => {
    // A cross whose arms reach the border: 40 % of the border is ink.
    const cross = {
      channels: 1 as const,
      width: 50,
      height: 50,
      data: Float32Array.from({ length: 2500 }, (_, i) =>
        Math.abs((i % 50) - 25) <= 10 || Math.abs(Math.floor(i / 50) - 25) <= 10 ? 0 : 1,
      ),
    };
    expect(normalised(cross)[3 * SIDE + 3]).toBe(1);
    expect(normalised(cross)[14 * SIDE + 14]).toBeLessThan(0.1);
    expect(normalised(inverted(cross))).toEqual(normalised(cross));
  });

  it('is none where all pixels are alike', () => {
    for (const level of [0, 0.5, 1]) {
      const flat = new Float32Array(400).fill(level);
      const noisy = flat.map((value, i) => Math.min(1, Math.max(0, value + 0.02 * (i % 3))));
      for (const data of [flat, noisy])
        expect(normaliseDrawing({ channels: 1, width: 20, height: 20, data }, SIDE)).toBe(
          undefined,
        );
    }
  });
});

describe('a drawing in a file', () => {
  const plain = (image: Planes): Promise<Buffer> =>
    png(
      Uint8Array.from(image.data, (value) => Math.round(255 * value)),
      1,
    );
  const read = async (file: Uint8Array): Promise<Float32Array> =>
    normalised(await readDrawing(file));

  it.each(cases)(
    '%i is the same on a transparent ground, in dark and in light ink',
    async (_, image) => {
      const expected = await read(await plain(image));
      for (const colour of [0, 90, 170, 255])
        expect(likeness(await read(await transparent(image, colour)), expected)).toBeGreaterThan(
          0.99,
        );
    },
  );

  it('on an opaque sheet with a transparent margin continues the sheet', async () => {
    const sheet = Uint8Array.from({ length: 2 * 84 * 84 }, (_, i) => {
      const [x, y] = [(i >> 1) % 84, Math.floor((i >> 1) / 84)];
      if (i % 2 === 1) return Math.min(x, y, 83 - x, 83 - y) >= 12 ? 255 : 0;
      return Math.abs(x - 42) < 3 && y > 20 && y < 64 ? 0 : 240;
    });
    const data = await read(await png(sheet, 2));
    // A vertical stroke in the middle, and nothing of the sheet's rim.
    expect(data[14 * SIDE + 14]).toBeLessThan(0.5);
    expect(data[14 * SIDE + 2]).toBe(1);
    expect(data[14 * SIDE + 25]).toBe(1);
  });

  it('of a large photograph is scaled down before it is looked at', async () => {
    const { width, height } = await readDrawing(
      await sharp({ create: { width: 1200, height: 600, channels: 3, background: '#fff' } })
        .png()
        .toBuffer(),
    );
    expect([width, height]).toEqual([512, 256]);
  });
});
