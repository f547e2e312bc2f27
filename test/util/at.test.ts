import { expect, it } from 'vitest';
import { at, entry } from '../../src/util/at.ts';

it('gives what is there, zero and empty values included', () => {
  expect(at([0, 'b'], 0)).toBe(0);
  expect(at(Float32Array.of(1.5), 0)).toBe(1.5);
  expect(entry({ a: '' }, 'a')).toBe('');
});

it('throws where nothing is there, with what was looked for', () => {
  expect(() => at([1, 2], 2)).toThrow('no element 2 in a list of 2');
  expect(() => at([1, 2], -1)).toThrow(RangeError);
  expect(() => entry({ pi: 1, step: 2 }, 'signal')).toThrow('no signal among pi, step');
});
