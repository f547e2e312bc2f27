import { toConstants } from '../../../src/training/weights.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toModel } from '../../../src/graph/model.ts';
import { input } from '../../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../../src/runtime/session.ts';
import { cutTiles, defaultTiles, layTiles } from '../../../src/tasks/denoise/tiles.ts';
import { unroll } from '../../../src/training/unroll.ts';
import { joined } from '../../support/joined.ts';
import { livelyWeights, smallDncnn } from '../../support/small.ts';

const images = fc.record({
  channels: fc.constantFrom<1 | 3>(1, 3),
  width: fc.integer({ min: 1, max: 90 }),
  height: fc.integer({ min: 1, max: 90 }),
  multiple: fc.constantFrom(1, 2, 3, 8),
  blend: fc.integer({ min: 1, max: 6 }),
  beyond: fc.integer({ min: 0, max: 4 }),
  extra: fc.integer({ min: 0, max: 20 }),
});

const pixels = (length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7) * 0.5 + 0.5);

describe('tiles', () => {
  it('cut and joined give back the image', () => {
    fc.assert(
      fc.property(images, ({ channels, width, height, multiple, blend, beyond, extra }) => {
        const image = { channels, width, height, data: pixels(channels * width * height) };
        const tiles = layTiles(width, height, {
          size: 4 * blend + extra,
          margin: blend + beyond,
          blend,
          multiple,
        });
        const parts = cutTiles(image, tiles, multiple);
        for (const { dims } of parts)
          expect([dims[0], dims[1]! % multiple, dims[2]! % multiple]).toEqual([channels, 0, 0]);
        const whole = joined(image, tiles, parts, blend);
        whole.forEach((value, i) => {
          if (!(Math.abs(value - image.data[i]!) < 1e-6))
            throw new Error(`pixel ${i} is ${value}, not ${image.data[i]}`);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('cover the image with their own areas, once, and begin at multiples', () => {
    fc.assert(
      fc.property(images, ({ width, height, multiple, blend, beyond, extra }) => {
        const size = 4 * blend + extra;
        const count = new Uint8Array(width * height);
        for (const { x, y } of layTiles(width, height, {
          size,
          margin: blend + beyond,
          blend,
          multiple,
        })) {
          expect([x.from % multiple, y.from % multiple]).toEqual([0, 0]);
          expect((x.end - x.start) * (y.end - y.start)).toBeLessThan((size + multiple) ** 2);
          for (let i = y.start; i < y.end; i++)
            for (let j = x.start; j < x.end; j++) count[i * width + j]!++;
        }
        expect(count.every((times) => times === 1)).toBe(true);
      }),
    );
  });

  it('are one up to the size chosen, and few beyond', () => {
    const lay = (width: number, height: number): number =>
      layTiles(width, height, { ...defaultTiles, multiple: 2 }).length;
    expect([
      lay(512, 512),
      lay(481, 321),
      lay(577, 512),
      lay(577, 576),
      lay(1, 1),
      lay(1024, 1024),
    ]).toEqual([1, 1, 1, 2, 1, 4]);
  });

  it('are as many as the pixels ask for, whatever the shape', () => {
    const lay = (width: number, height: number): number =>
      layTiles(width, height, { ...defaultTiles, multiple: 2 }).length;
    expect(lay(40_000_000, 1)).toBeLessThan(130);
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: Math.log(40e6), noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (logPixels, share) => {
          const width = Math.max(1, Math.floor(Math.exp(logPixels * share)));
          const height = Math.max(1, Math.floor(Math.exp(logPixels * (1 - share))));
          // A side a little longer than a tile's is cut in two, so that a tile may be a quarter of the largest.
          const least = defaultTiles.size ** 2 / 4;
          expect(lay(width, height)).toBeLessThanOrEqual(2 + Math.ceil((width * height) / least));
        },
      ),
    );
  });

  it('take nothing from the outer part of the margin, where the window ends', () => {
    const image = { channels: 1 as const, width: 90, height: 90, data: pixels(8100) };
    const tiles = layTiles(90, 90, { size: 32, margin: 8, blend: 4, multiple: 2 });
    const spoiled = cutTiles(image, tiles, 2).map((part, t) => {
      const tile = tiles[t]!;
      const [, h, w] = part.dims as [number, number, number];
      const outer = (
        i: number,
        size: number,
        { from, to }: { from: number; to: number },
        length: number,
      ): boolean => (from > 0 && i < 4) || (to < length && i >= size - 4);
      return {
        ...part,
        data: part.data.map((value, i) =>
          outer(Math.floor(i / w), h, tile.y, 90) || outer(i % w, w, tile.x, 90) ? 1e6 : value,
        ),
      };
    });
    const whole = joined(image, tiles, spoiled, 4);
    expect(whole.every((value, i) => Math.abs(value - image.data[i]!) < 1e-6)).toBe(true);
  });

  it('of different brightness meet without a step: no pixel differs from its neighbour by more than the blend allows', () => {
    const image = { channels: 1 as const, width: 300, height: 160, data: new Float32Array(48_000) };
    const blend = 12;
    const tiles = layTiles(300, 160, { size: 160, margin: 20, blend, multiple: 2 });
    expect(tiles.length).toBe(2);
    const parts = cutTiles(image, tiles, 2);
    parts.forEach(({ data }, i) => data.fill(i));
    const whole = joined(image, tiles, parts, blend);
    expect([whole[0], whole[299]]).toEqual([0, 1]);
    for (let j = 1; j < 300; j++) {
      expect(whole[j]! - whole[j - 1]!).toBeGreaterThanOrEqual(0);
      expect(whole[j]! - whole[j - 1]!).toBeLessThan(0.07);
    }
  });

  it('mirror the image beyond its far sides', () => {
    const image = {
      channels: 1 as const,
      width: 3,
      height: 2,
      data: Float32Array.of(1, 2, 3, 4, 5, 6),
    };
    const tiles = layTiles(3, 2, { size: 8, margin: 2, blend: 2, multiple: 4 });
    const { data, dims } = cutTiles(image, tiles, 4)[0]!;
    expect(dims).toEqual([1, 16, 16]);
    const row = (y: number): number[] => [...data.subarray(16 * y, 16 * y + 16)];
    expect(row(0)).toEqual([1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2]);
    expect(row(1)).toEqual([4, 5, 6, 5, 4, 5, 6, 5, 4, 5, 6, 5, 4, 5, 6, 5]);
    for (let y = 2; y < 16; y++) expect(row(y)).toEqual(row(y % 2));
  });
});

describe('tiles through a network', () => {
  const family = smallDncnn(1);
  const blend = 10;
  const denoised = async (
    width: number,
    height: number,
    size: number,
    margin: number,
  ): Promise<Float32Array> => {
    const { outputs } = unroll(family, { image: input('image', family.inputs.image!) });
    const weights = toConstants(livelyWeights(family));
    const session = await Session.load(
      toModel({ outputs: { denoised: outputs.at(-1)!.denoised! }, weights }),
    );
    const image = { channels: 1 as const, width, height, data: pixels(width * height) };
    const tiles = layTiles(width, height, { size, margin, blend, multiple: 2 });
    const parts = [];
    for (const { data, dims } of cutTiles(image, tiles, 2)) {
      const result = await session.run({ image: tensor(data, [1, ...dims]) });
      parts.push({ data: floats(result.denoised!).slice(), dims });
    }
    await session.release();
    return joined(image, tiles, parts, blend);
  };
  const difference = (a: Float32Array, b: Float32Array): number =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

  it.each([
    [90, 70],
    [91, 43],
  ])(
    '%i×%i: equal the untiled result where the margin holds all that the network sees',
    async (width, height) => {
      const whole = await denoised(width, height, 100, 0);
      // Four layers and a head at half resolution see 10 pixels far; what is blended must see as much beyond itself.
      expect(difference(await denoised(width, height, 40, 20), whole)).toBeLessThan(1e-5);
      expect(difference(await denoised(width, height, 40, 10), whole)).toBeGreaterThan(1e-4);
    },
  );

  it.each([
    [400_000, 1],
    [1, 400_000],
    [3, 200_000],
  ])('of a strip of %d×%d hold no more than its pixels and margins', (width, height) => {
    const image = { channels: 1 as const, width, height, data: pixels(width * height) };
    const tiles = layTiles(width, height, { ...defaultTiles, multiple: 1 });
    const parts = cutTiles(image, tiles, 1);
    const held = parts.reduce((sum, { data }) => sum + data.length, 0);
    expect(held).toBeLessThan(1.01 * width * height);
    const whole = joined(image, tiles, parts, defaultTiles.blend);
    expect(whole.findIndex((value, i) => !(Math.abs(value - image.data[i]!) < 1e-6))).toBe(-1);
  });
});
