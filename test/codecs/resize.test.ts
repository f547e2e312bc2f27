import { describe, expect, it } from 'vitest';
import type { Planes } from '../../src/codecs/images.ts';
import { resize } from '../../src/codecs/resize.ts';

const planes = (
  width: number,
  height: number,
  value: (x: number, y: number, c: number) => number,
): Planes => ({
  channels: 3,
  width,
  height,
  data: Float32Array.from({ length: 3 * width * height }, (_, i) =>
    value(i % width, Math.floor(i / width) % height, Math.floor(i / width / height)),
  ),
});
const at = ({ data, width, height }: Planes, x: number, y: number, c: number): number =>
  data[(c * height + y) * width + x]!;

describe('resize', () => {
  it.each([
    [24, 8],
    [6, 4],
    [5, 20],
  ])('keeps a ramp a ramp, at %i×%i, but for the border', (width, height) => {
    const result = resize(
      planes(12, 16, (x, y, c) => x + 100 * y + 10_000 * c),
      width,
      height,
    );
    expect(result).toMatchObject({ channels: 3, width, height });
    const [across, down] = [12 / width, 16 / height];
    for (let c = 0; c < 3; c++) {
      for (let y = 2; y < height - 2; y++) {
        for (let x = 2; x < width - 2; x++) {
          const expected = (x + 0.5) * across - 0.5 + 100 * ((y + 0.5) * down - 0.5) + 10_000 * c;
          expect(at(result, x, y, c)).toBeCloseTo(expected, 1);
        }
      }
    }
  });

  it('averages stripes that are too fine for the new size', () => {
    const stripes = planes(32, 32, (x) => x % 2);
    for (const value of resize(stripes, 8, 8).data) expect(Math.abs(value - 0.5)).toBeLessThan(0.1);
  });

  it('leaves an image of that size alone', () => {
    const image = planes(5, 4, (x) => x);
    expect(resize(image, 5, 4)).toBe(image);
  });
});
