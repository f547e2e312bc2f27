import { describe, expect, it } from 'vitest';
import { partOf, parts, randomOf } from '../../src/evaluation/traffic.ts';

describe('parts', () => {
  it('get sources by their hash, as many as their weight says', () => {
    const shares = { training: 6, selection: 2, certification: 2 };
    const names = Array.from({ length: 4000 }, (_, i) => `image ${i}`);
    const counts = new Map<string, number>();
    for (const name of names) {
      const part = partOf(name, shares);
      counts.set(part, (counts.get(part) ?? 0) + 1);
      expect(partOf(Buffer.from(name), shares)).toBe(part);
    }
    expect(Math.abs(counts.get('training')! / 4000 - 0.6)).toBeLessThan(0.03);
    expect(Math.abs(counts.get('selection')! / 4000 - 0.2)).toBeLessThan(0.03);
    expect(counts.get('test')).toBeUndefined();
    expect(partOf('anything', { test: 1 })).toBe('test');
  });

  it('have random numbers of their own for every seed and request', () => {
    const seen = new Set<number>();
    for (const part of parts)
      for (const seed of [0, 1])
        for (let i = 0; i < 50; i++) seen.add(randomOf(part, seed, i).uniform());
    expect(seen.size).toBe(400);
    expect(randomOf('test', 1, 2).uniform()).toBe(randomOf('test', 1, 2).uniform());
  });
});
