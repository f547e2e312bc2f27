import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/data/random.ts';
import { box, Canvas, disc, polygon, stroke } from '../../../src/tasks/denoise/canvas.ts';
import { drawDrawing } from '../../../src/tasks/denoise/drawings.ts';
import { largePhotographs, mosaic } from '../../../scripts/paper/denoise/mosaic.ts';
import { planesOf } from '../../../src/tasks/denoise/planes.ts';
import { isByte, isSame, madeUpPhoto, moments } from './images.ts';

describe('Canvas', () => {
  const area = (shape: Parameters<Canvas['paint']>[0]): number => {
    const canvas = new Canvas(40, 30, [0, 0, 0]);
    canvas.paint(shape, [1, 0.5, 0]);
    expect(canvas.data.subarray(2 * 1200).every((value) => value === 0)).toBe(true);
    return canvas.data.subarray(0, 1200).reduce((a, b) => a + b, 0);
  };

  it('covers the area of each shape', () => {
    expect(area(box(5, 6, 10, 8))).toBe(80);
    expect(area(box(5.5, 6, 10, 8))).toBeCloseTo(80, 0);
    expect(area(disc(20, 15, 8))).toBeCloseTo(Math.PI * 64, 0);
    expect(
      area(
        stroke(
          [
            [5, 5],
            [25, 5],
            [25, 20],
          ],
          3,
        ),
      ),
    ).toBeCloseTo(3 * 35 + (Math.PI / 4) * 9, -0.5);
    expect(
      area(
        polygon([
          [5, 5],
          [35, 5],
          [5, 25],
        ]),
      ),
    ).toBeCloseTo(300, -0.5);
    expect(area(box(-5, -5, 10, 10))).toBe(25);
  });

  it('antialiases the channels apart for subpixels', () => {
    const canvas = new Canvas(20, 20, [0, 0, 0]);
    canvas.paint(
      stroke(
        [
          [10, 2],
          [10, 18],
        ],
        1.3,
      ),
      [1, 1, 1],
      true,
    );
    const [r, g, b] = planesOf(canvas.toPlanes());
    expect(isSame(r!, g!)).toBe(false);
    expect(b!.reduce((x, y) => x + y)).toBeCloseTo(
      g!.reduce((x, y) => x + y),
      0,
    );
  });
});

describe('drawings', () => {
  const random = new Random(1);
  const drawings = Array.from({ length: 60 }, () => drawDrawing([64, 48], random));

  it('are of 8 bits and mostly different', () => {
    for (const drawing of drawings) {
      expect(drawing).toMatchObject({ channels: 3, width: 64, height: 48 });
      expect(drawing.data.every(isByte)).toBe(true);
    }
    expect(new Set(drawings.map(({ data }) => data.join())).size).toBeGreaterThan(50);
  });

  it('are light, dark and saturated in each channel; some are flat', () => {
    const means = drawings.map((drawing) => planesOf(drawing).map((plane) => moments(plane).mean));
    expect(means.some((mean) => Math.min(...mean) > 0.85)).toBe(true);
    expect(means.some((mean) => Math.max(...mean) < 0.25)).toBe(true);
    for (const c of [0, 1, 2])
      expect(
        means.some((mean) => mean[c]! > 0.35 + Math.max(mean[(c + 1) % 3]!, mean[(c + 2) % 3]!)),
        `${c}`,
      ).toBe(true);
    const flats = drawings.filter((drawing) =>
      planesOf(drawing).every((p) => moments(p).deviation < 1e-4),
    );
    expect(flats.length).toBeGreaterThan(0);
    expect(flats.length).toBeLessThan(15);
  });
});

describe('mosaic', () => {
  const images = [1, 2, 3].map((k) => madeUpPhoto(k));
  const large = mosaic(images, 1500, 1000, new Random(1));

  it('has the size asked for, 8 bits, and repeats for the same seed', () => {
    expect(large).toMatchObject({ channels: 3, width: 1500, height: 1000 });
    expect(large.data.every(isByte)).toBe(true);
    const small = (seed: number): Float32Array => mosaic(images, 700, 300, new Random(seed)).data;
    expect(isSame(small(2), small(2))).toBe(true);
    expect(isSame(small(2), small(3))).toBe(false);
  });

  it('has recipes up to 12 megapixels, each with a seed of its own', () => {
    const sizes = largePhotographs.map(({ width, height }) => width * height);
    expect(Math.max(...sizes)).toBe(12e6);
    expect(new Set(largePhotographs.map(({ seed }) => seed)).size).toBe(largePhotographs.length);
  });

  it('has flat, blurred and textured parts', () => {
    const [red] = planesOf(large);
    const contrasts: number[] = [];
    for (let top = 0; top + 20 <= 1000; top += 20) {
      for (let left = 0; left + 20 <= 1500; left += 20) {
        const values = Float32Array.from(
          { length: 400 },
          (_, i) => red![(top + Math.floor(i / 20)) * 1500 + left + (i % 20)]!,
        );
        contrasts.push(255 * moments(values).deviation);
      }
    }
    const share = (low: number, high: number): number =>
      contrasts.filter((contrast) => contrast >= low && contrast < high).length / contrasts.length;
    expect(share(0, 3)).toBeGreaterThan(0.1);
    expect(share(3, 15)).toBeGreaterThan(0.1);
    expect(share(15, 255)).toBeGreaterThan(0.2);
  });
});
