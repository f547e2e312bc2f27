/** Large tensors in JSON: read as JSON.parse reads them, in bounded time, and written again. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonTensor } from '../../../src/codecs/json-numbers.ts';
import { readTensor } from '../../../src/codecs/json-tensor.ts';
import { MOST_VALUES } from '../../../src/tasks/common/json-bounds.ts';
import { parseObject } from '../../../src/tasks/common/json-body.ts';
import { cutTensors } from '../../../src/tasks/common/json-tensors.ts';
import { fromNested } from '../../../src/tasks/tensor/nested.ts';
import { cpuMs } from '../../support/cpu-ms.ts';

const read = (text: string) => readTensor(Buffer.from(text), 0);
const written = (values: readonly number[], shape: readonly number[]): string =>
  Buffer.from(jsonTensor(Float32Array.from(values), shape)).toString();

/** A body as the routes read it; the array is the field x. */
function decode(body: Uint8Array) {
  const { rest, tensors } = cutTensors(body);
  const { x } = parseObject(rest, '{x}');
  return fromNested(x, 'x', tensors);
}

describe('reading a tensor', () => {
  it('gives the float32 that JSON.parse leads to, for numbers as programs write them', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
      fc.integer().map(String),
      fc
        .tuple(fc.integer(), fc.nat(1e9), fc.integer({ min: -60, max: 60 }))
        .map(([whole, part, exponent]) => `${whole}.${part}E${exponent > 0 ? '+' : ''}${exponent}`),
    );
    fc.assert(
      fc.property(fc.array(number, { minLength: 1 }), (numbers) => {
        const text = `[${numbers.join(' ,\n')}]`;
        expect(read(text)?.data).toEqual(Float32Array.from(JSON.parse(text) as number[]));
      }),
      { numRuns: 3000 },
    );
  });

  it('gives the shape, and where the text goes on', () => {
    expect(read('[ [[1],[2]] , [[3],[4]],[[5],[6]] ], 7')).toEqual({
      shape: [3, 2, 1],
      data: Float32Array.of(1, 2, 3, 4, 5, 6),
      end: 35,
    });
  });

  it.each([
    ...['[]', '[[]]', '[1,[2]]', '[[1],2]', '[[1,2],[3]]', '[[1],[[2]]]', '[1,null]', '["1"]'],
    ...[
      '[1',
      '[1,',
      '[1,]',
      '[,1]',
      '[1 2]',
      '[01]',
      '[1.]',
      '[.5]',
      '[-]',
      '[+1]',
      '[1e]',
      '[-01]',
    ],
    ...[
      '[NaN]',
      '[Infinity]',
      '[0x1]',
      '[1e+]',
      '[[1]',
      '[1}',
      `${'['.repeat(65)}1${']'.repeat(65)}`,
    ],
  ])('leaves %s to JSON.parse', (text) => {
    expect(read(text)).toBeUndefined();
  });
});

it('writes nested arrays that JSON.parse gives back', () => {
  expect(written([1, 2, 3, 4, 5, 6], [3, 2])).toBe('[[1,2],[3,4],[5,6]]');
  expect(written([0.5, Number.NaN, Number.NEGATIVE_INFINITY, -1], [2, 2, 1])).toBe(
    '[[[0.5],[null]],[[null],[-1]]]',
  );
  expect(written([1.5], [])).toBe('1.5');
  expect(written([1.5], [1, 1])).toBe('[[1.5]]');
});

describe('bodies', () => {
  const many = Array.from({ length: 3000 }, (_, i) => i / 8);

  it('are read alike whether a tensor is taken out or not', () => {
    const text = JSON.stringify({ 'a":[': [1, '[', { b: many }], x: [many, many], y: '\\":[1,2' });
    const { rest, tensors } = cutTensors(Buffer.from(text));
    expect(tensors.size).toBe(2);
    expect(rest.length).toBeLessThan(200);
    expect(decode(Buffer.from(text))).toMatchObject(
      fromNested((JSON.parse(text) as { x: unknown }).x, 'x'),
    );
    expect(() => decode(Buffer.from('{"x":["0"]}'))).toThrow(/x\[0\] must be a number/);
  });

  it('with a wrong value still say where', () => {
    const body = Buffer.from(JSON.stringify({ x: [many, [...many.slice(1), null]] }));
    expect(() => decode(body)).toThrow(/x\[1\]\[2999\] must be a number, not null/);
  });

  const rowsOfOne = (n: number): string => `[${'[0.5],'.repeat(n - 1)}[1]]`;

  // Parsing and converting took over 5 s, and writing the same numbers 20 s.
  it('of as many numbers as are taken keep a worker for under 3 s, and so do answers', () => {
    const count = MOST_VALUES - 8;
    const body = Buffer.from(`{"x":${rowsOfOne(count)}}`);
    const started = cpuMs();
    const { data, shape } = decode(body);
    const read = cpuMs();
    expect(shape).toEqual([count, 1]);
    expect(read - started).toBeLessThan(3000);
    expect(jsonTensor(data, shape).length).toBeGreaterThan(5 * count);
    expect(cpuMs() - read).toBeLessThan(3000);
  }, 60_000);

  it.each([
    ['a null at the end', `[${'1,'.repeat(MOST_VALUES - 8)}null]`, /byte 5 is long and no tensor/],
    ['a longer row', rowsOfOne(2 ** 21).replace(/1]]$/, '1,1]]'), /byte 5 is long and no tensor/],
    ['too many numbers', `[${'1,'.repeat(MOST_VALUES + 8)}1]`, /more than 8388608 values/],
    ['many objects', `[${'{},'.repeat(2 ** 21)}{}]`, /byte 5 is long and no tensor/],
  ])(
    'with %s are refused as fast',
    (_, text, message) => {
      const body = Buffer.from(`{"x":${text}}`);
      const started = cpuMs();
      expect(() => decode(body)).toThrow(message);
      expect(cpuMs() - started).toBeLessThan(3000);
    },
    60_000,
  );
});
