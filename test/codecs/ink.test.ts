import { describe, expect, it } from 'vitest';
import type { Planes } from '../../src/codecs/images.ts';
import { inverted, thicken } from '../../src/codecs/ink.ts';

const planes = (side: number, ink: (x: number, y: number) => number): Planes => ({
  channels: 1,
  width: side,
  height: side,
  data: Float32Array.from({ length: side * side }, (_, i) => ink(i % side, Math.floor(i / side))),
});
/** A vertical stroke, `width` pixels wide. */
const stroke = (width: number): Planes =>
  planes(20, (x, y) => (x >= 8 && x < 8 + width && y >= 3 && y < 17 ? 1 : 0));
const row = ({ data, width }: Planes, y: number): number[] => [
  ...data.subarray(y * width, (y + 1) * width),
];
const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

describe('the width of strokes', () => {
  it.each([1, 2, 0.5, 1.25])('grows by %f pixels on each side', (radius) => {
    expect(sum(row(thicken(stroke(3), radius), 10))).toBeCloseTo(3 + 2 * radius, 5);
    expect(Math.max(...thicken(stroke(3), radius).data)).toBe(1);
  });

  it.each([1, 0.5, 1.25])('shrinks by %f pixels on each side', (radius) => {
    expect(sum(row(thicken(stroke(5), -radius), 10))).toBeCloseTo(5 - 2 * radius, 5);
  });

  it('grows towards the corners less than along the axes', () => {
    const dot = planes(21, (x, y) => (x === 10 && y === 10 ? 1 : 0));
    const grown = thicken(dot, 3);
    expect(grown.data[10 * 21 + 13]).toBe(1);
    expect(grown.data[13 * 21 + 13]).toBe(0);
    expect(grown.data[12 * 21 + 11]).toBe(1);
  });

  it('does not shrink to nothing', () => {
    const thin = thicken(stroke(1), -3);
    expect(sum(thin.data)).toBeGreaterThan(0.3 * 14);
    expect(sum(thin.data)).toBeLessThan(14);
  });
});

it('an inverted drawing is inverted back', () => {
  const drawing = stroke(2);
  expect(inverted(drawing).data[0]).toBe(1);
  expect(inverted(inverted(drawing))).toEqual(drawing);
});
