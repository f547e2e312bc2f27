import { describe, expect, it } from 'vitest';
import type { Planes } from '../../src/codecs/images.ts';
import { rotate } from '../../src/data/rotate.ts';

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

describe('rotate', () => {
  it('turns anticlockwise about the centre', () => {
    // A dot to the right of the centre moves up, which is towards smaller rows.
    const image = planes(41, 41, (x, y) => Math.exp(-((x - 36) ** 2 + (y - 20) ** 2) / 4));
    const turned = rotate(image, 10);
    const place = turned.data.subarray(0, 41 * 41).indexOf(Math.max(...turned.data));
    expect(place % 41).toBe(Math.round(20 + 16 * Math.cos(Math.PI / 18)));
    expect(Math.floor(place / 41)).toBe(Math.round(20 - 16 * Math.sin(Math.PI / 18)));
  });

  it('by no angle changes nothing, and back again nearly nothing', () => {
    const image = planes(32, 24, (x, y, c) => 2 + Math.sin(x / 5 + c) * Math.cos(y / 4));
    expect(rotate(image, 0)).toEqual(image);
    const back = rotate(rotate(image, 7), -7);
    for (let y = 6; y < 18; y++)
      for (let x = 6; x < 26; x++)
        expect(Math.abs(at(back, x, y, 1) - at(image, x, y, 1))).toBeLessThan(0.05);
  });

  it('fills corners by the image mirrored at its border', () => {
    const turned = rotate(
      planes(32, 32, () => 0.7),
      -10,
    );
    for (const value of turned.data) expect(value).toBeCloseTo(0.7, 5);
  });
});
