import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonNumbers } from '../../src/codecs/json-numbers.ts';

const written = (values: Float32Array): string => Buffer.from(jsonNumbers(values)).toString();
const readBack = (values: Float32Array): Float32Array =>
  Float32Array.from(JSON.parse(written(values)) as number[]);

it('gives back every float32, in at most nine digits', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = written(Float32Array.of(value));
      expect(readBack(Float32Array.of(value))[0]).toBe(value === 0 ? 0 : value);
      const digits = text.replace(/e.*/, '').replace(/\D/g, '').replace(/^0+/, '');
      expect(digits.length).toBeLessThanOrEqual(9);
    }),
    { numRuns: 20_000 },
  );
});

it('gives back random bit patterns and the edges of every exponent', () => {
  const bits = new Uint32Array(120_000);
  for (let i = 0, state = 1; i < bits.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bits[i] = state;
  }
  for (let exponent = 0; exponent < 255; exponent++)
    bits.set([exponent << 23, (exponent << 23) + 1, (exponent << 23) + 0x7fffff], 3 * exponent);
  const values = new Float32Array(bits.buffer).filter((value) => Number.isFinite(value));
  expect(readBack(values)).toEqual(values.map((value) => value + 0));
});

it('writes short decimals shortly, as JavaScript does', () => {
  const numbers = [
    0, -0, 1, -1, 0.5, 0.1, -0.25, 100, 123456, 1e-5, 1.5e-7, 3.4e38, 16777216, 1e9, 2e10,
  ];
  expect(written(Float32Array.from(numbers))).toBe(
    '[0,0,1,-1,0.5,0.1,-0.25,100,123456,0.00001,1.5e-7,3.4e38,16777216,1e9,2e10]',
  );
  expect(written(new Float32Array())).toBe('[]');
});

it('refuses what JSON cannot hold', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => jsonNumbers(Float32Array.of(value))).toThrow(RangeError);
});
