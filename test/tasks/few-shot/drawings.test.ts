import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import type { Sample } from '../../../src/engine/types.ts';
import { fewShot } from '../../../src/tasks/few-shot/serve.ts';
import { byName, decoderOf, manifest, problem } from '../fixtures.ts';

const SIDE = 28;
const ports = manifest('drawings', 'few-shot', [1, 'S', 1, SIDE, SIDE]);
const drawings: Manifest = {
  ...ports,
  inputs: [
    { name: 'support', dtype: 'float32', shape: [1, 'S', 1, SIDE, SIDE] },
    { name: 'labels', dtype: 'float32', shape: [1, 'S', 'K'] },
    { name: 'query', dtype: 'float32', shape: [1, 'Q', 1, SIDE, SIDE] },
  ],
  outputs: [{ name: 'logits', dtype: 'float32', shape: [1, 'Q', 'K'] }],
  drawings: true,
};
const decode = decoderOf(fewShot, 1e6);

interface Sheet {
  readonly width: number;
  readonly height: number;
  /** Left and top of the letter L, and its size. */
  readonly at: readonly [number, number, number];
  readonly ink: number;
  readonly paper: number;
}
/** A letter L on a sheet. */
const letter = ({ width, height, at: [left, top, size], ink, paper }: Sheet): Promise<string> => {
  const pen = Math.max(1, Math.round(size / 12));
  const isInk = (x: number, y: number): boolean =>
    x >= left &&
    y >= top &&
    x < left + size / 2 &&
    y < top + size &&
    (x < left + pen || y >= top + size - pen);
  const pixels = Uint8Array.from({ length: width * height }, (_, i) =>
    isInk(i % width, Math.floor(i / width)) ? ink : paper,
  );
  return sharp(pixels, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer()
    .then((png) => png.toString('base64'));
};
const plain: Sheet = { width: 105, height: 105, at: [30, 20, 60], ink: 0, paper: 255 };
const supportOf = async (sheets: readonly Sheet[], model: Manifest): Promise<Float32Array[]> => {
  const images = await Promise.all(sheets.map(letter));
  const { samples } = await decode(
    {
      task: 'few-shot',
      contentType: 'application/json',
      body: Buffer.from(
        JSON.stringify({
          support: images.map((image, i) => ({ label: `${i}`, image })),
          query: [images[0]],
        }),
      ),
      stopping: {},
      options: {},
    },
    byName(model),
  );
  const { support } = samples[0] as { support: Sample[string] };
  return images.map((_, i) => support.data.slice(i * SIDE ** 2, (i + 1) * SIDE ** 2));
};
const distance = (a: Float32Array, b: Float32Array): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length);

describe('a model of drawings sees the same letter', () => {
  it('in light ink, small in a corner, and on an oblong sheet', async () => {
    const [expected, ...others] = await supportOf(
      [
        plain,
        { ...plain, ink: 255, paper: 0 },
        { ...plain, ink: 200, paper: 90 },
        { ...plain, at: [70, 3, 30] },
        { ...plain, width: 300, at: [220, 40, 50], ink: 255, paper: 0 },
      ],
      drawings,
    );
    for (const other of others) expect(distance(other, expected!)).toBeLessThan(0.1);
    expect(expected!.filter((value) => value < 0.3).length).toBeGreaterThan(20);
  });

  it('a model of photographs sees them as they are', async () => {
    const photographs = { ...drawings, drawings: false };
    const [expected, light] = await supportOf(
      [plain, { ...plain, ink: 255, paper: 0 }],
      photographs,
    );
    expect(distance(light!, expected!)).toBeGreaterThan(0.5);
  });

  it('and refuses a sheet without one', async () => {
    const blank = { ...plain, ink: 250, paper: 255 };
    expect(await problem(() => supportOf([plain, blank], drawings))).toMatchObject({
      code: 'bad-image',
      message: 'Image 1 of support: It holds no drawing: all its pixels are nearly alike.',
    });
  });
});
