import { describe, expect, it } from 'vitest';
import { drawCharacters } from '../../src/data/characters.ts';
import { Random } from '../../src/data/random.ts';

describe('made-up characters', () => {
  const drawn = drawCharacters(6, 4, 28, new Random(1));
  const distance = (a: Float32Array, b: Float32Array): number =>
    Math.hypot(...a.map((value, i) => value - b[i]!));

  it('are ink on paper, some of it at least', () => {
    expect(drawn.images).toHaveLength(24);
    expect(drawn.classes.slice(0, 5)).toEqual([0, 0, 0, 0, 1]);
    for (const { data } of drawn.images) {
      expect(Math.max(...data)).toBe(1);
      expect(data.filter((value) => value < 0.5).length).toBeGreaterThan(20);
      expect(data.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });

  it('differ from drawing to drawing, and more from character to character', () => {
    const mean = (same: boolean): number => {
      const all = drawn.images.flatMap((a, i) =>
        drawn.images.flatMap((b, j) =>
          i < j && (drawn.classes[i] === drawn.classes[j]) === same
            ? [distance(a.data, b.data)]
            : [],
        ),
      );
      return all.reduce((x, y) => x + y, 0) / all.length;
    };
    expect(mean(true)).toBeGreaterThan(1);
    expect(mean(false)).toBeGreaterThan(1.15 * mean(true));
  });
});
