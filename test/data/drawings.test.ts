import { describe, expect, it } from 'vitest';
import type { Planes } from '../../src/codecs/images.ts';
import { place } from '../../src/data/drawings.ts';

const planes = (side: number, ink: (x: number, y: number) => number): Planes => ({
  channels: 1,
  width: side,
  height: side,
  data: Float32Array.from({ length: side * side }, (_, i) => ink(i % side, Math.floor(i / side))),
});
const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

describe('a placed drawing', () => {
  it('keeps its ink, smaller by the square of its size, within the canvas', () => {
    const drawing = planes(60, (x, y) => (x >= 10 && x < 50 && y >= 20 && y < 40 ? 1 : 0));
    for (const size of [1, 0.5, 0.25]) {
      for (const [across, down] of [
        [0, 0],
        [1, 0],
        [0.3, 1],
      ] as const) {
        const { data, width } = place(drawing, { size, across, down });
        expect(width).toBe(60);
        expect(sum(data)).toBeCloseTo(800 * size ** 2, 3);
        const at = (x: number, y: number): number => data[y * 60 + x]!;
        expect(at(across === 1 ? 59 : Math.round(across * (60 - 40 * size)), down * 59)).toBe(1);
      }
    }
  });

  it('without ink is an empty canvas', () => {
    const empty = planes(8, () => 0);
    expect(place(empty, { size: 0.5, across: 0.5, down: 0.5 })).toEqual(empty);
  });
});
