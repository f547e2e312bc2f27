import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../src/codecs/npy.ts';
import { cpuMs } from '../support/cpu-ms.ts';

const arrays = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
    fc.boolean(),
    fc.infiniteStream(fc.double()),
  )
  .map(([shape, single, numbers]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const values = Array.from({ length }, () => numbers.next().value as number);
    return { shape, data: single ? Float32Array.from(values) : Float64Array.from(values) };
  });

/** A file put together by hand, as another program may write it. */
function file(
  version: number,
  header: string,
  data: ArrayBufferView = new Float32Array(0),
): Uint8Array {
  const length =
    version === 1
      ? [header.length & 255, header.length >> 8]
      : [header.length & 255, header.length >> 8, 0, 0];
  return Uint8Array.from([
    ...[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, ...length],
    ...new TextEncoder().encode(header),
    ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
}

/** A header of version 2 that is this long, and nothing after it. */
function longHeader(length: number): Uint8Array {
  const start = Buffer.from(writeNpy({ shape: [0], data: new Float32Array(0) }).subarray(0, 12));
  start[6] = 2;
  start.writeUInt32LE(length, 8);
  return Buffer.concat([start, Buffer.from(header('<f4', false, '(0,)').padEnd(length))]);
}

const header = (descr: string, fortran: boolean, shape: string): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${shape}, }\n`;

describe('npy', () => {
  it('reads what it wrote, of any rank and both types', () => {
    fc.assert(
      fc.property(arrays, (array) => {
        const read = readNpy(writeNpy(array));
        expect(read.shape).toEqual(array.shape);
        expect(read.data).toEqual(array.data);
      }),
      { numRuns: 200 },
    );
  });

  it('reads from a part of a larger buffer, as files are read', () => {
    const bytes = writeNpy({ shape: [2], data: Float32Array.of(1, 2) });
    expect(readNpy(Buffer.concat([Buffer.of(0), bytes]).subarray(1)).data).toEqual(
      Float32Array.of(1, 2),
    );
  });

  it('writes the data at a multiple of 64 bytes after a header that ends with a newline', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 100, 1e6, 1e15), { maxLength: 12 }), (dims) => {
        const bytes = writeNpy({ shape: [...dims, 0], data: new Float32Array(0) });
        expect(bytes.length % 64).toBe(0);
        expect(bytes.at(-1)).toBe(10);
      }),
    );
  });

  it('gives the same array for C and Fortran order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
        (shape) => {
          const length = shape.reduce((a, b) => a * b, 1);
          const fortran = Float64Array.from({ length }, (_, i) => i);
          const { data } = readNpy(file(2, header('<f8', true, `(${shape.join(', ')},)`), fortran));
          // The element at (i, j, …) of the C array is number i + shape[0] (j + shape[1] (…)) of the file.
          data.forEach((value, at) => {
            let rest = at;
            const index = [...shape].reverse().map((size) => {
              const i = rest % size;
              rest = Math.floor(rest / size);
              return i;
            });
            expect(value).toBe(
              index.reduce((sum, i, k) => i + (shape.at(-1 - k) as number) * sum, 0),
            );
          });
        },
      ),
    );
  });

  it('reads versions 1, 2 and 3, and a single number', () => {
    for (const version of [1, 2, 3]) {
      const { shape, data } = readNpy(
        file(version, header('<f4', false, '()'), Float32Array.of(1.5)),
      );
      expect([shape, [...data]]).toEqual([[], [1.5]]);
    }
  });

  it.each([
    ['not a file of this kind', Uint8Array.from({ length: 80 }, (_, i) => i), /does not begin/],
    ['nothing', new Uint8Array(0), /does not begin/],
    ['a later version', file(4, header('<f4', false, '(0,)')), /version 4/],
    ['objects', file(1, header('|O', false, '(1,)'), new Float64Array(1)), /\|O.*astype/],
    [
      'complex numbers',
      file(1, header('<c8', false, '(1,)'), new Float64Array(1)),
      /complex.*\[\[Re A, −Im A\], \[Im A, Re A\]\]/,
    ],
    [
      '33 dimensions',
      file(1, header('<f4', false, `(${'1, '.repeat(33)})`), new Float32Array(1)),
      /33 dimensions; at most 32/,
    ],
    ['a header of more than 64 KiB', longHeader(65_537), /65537 bytes long; at most 65536/],
    [
      'records',
      file(
        1,
        `{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }`,
        new Float32Array(1),
      ),
      /a record/,
    ],
    [
      'too little data',
      file(1, header('<f4', false, '(2, 3)'), new Float32Array(5)),
      /24 bytes.*20 follow/,
    ],
    [
      'too much data',
      file(1, header('<f4', false, '(2,)'), new Float32Array(3)),
      /8 bytes.*12 follow/,
    ],
    [
      'a shape beyond any file',
      file(1, header('<f4', false, '(9999999999, 9999999999)')),
      /beyond any file/,
    ],
    ['no shape', file(1, `{'descr': '<f4', 'fortran_order': False}`), /does not name/],
    [
      'a header cut short',
      writeNpy({ shape: [1], data: new Float32Array(1) }).subarray(0, 40),
      /ends within its header/,
    ],
  ])('refuses %s with a sentence', (_, bytes, sentence) => {
    expect(() => readNpy(bytes)).toThrow(sentence);
  });

  it('refuses headers of many dimensions at once', () => {
    const dims = (count: number): string => header('<f4', true, `(${'1, '.repeat(count)})`);
    for (const bytes of [file(1, dims(20_000), new Float32Array(1)), longHeader(400_000)]) {
      const started = cpuMs();
      expect(() => readNpy(bytes)).toThrow(RangeError);
      expect(cpuMs() - started).toBeLessThan(20);
    }
  });

  it('repeats no more than a line of a header in its message', () => {
    const long = '9'.repeat(40_000);
    for (const text of [header(long, false, '(1,)'), header('<f4', false, `(${long},)`)]) {
      expect(() => readNpy(file(1, text))).toThrow(/^.{1,300}$/);
    }
  });

  const view = (size: number, write: (data: DataView) => void): DataView => {
    const data = new DataView(new ArrayBuffer(size));
    write(data);
    return data;
  };
  it.each<[string, DataView, number[]]>([
    ['>f4', view(8, (d) => (d.setFloat32(0, 1.5), d.setFloat32(4, -2))), [1.5, -2]],
    ['>f8', view(16, (d) => (d.setFloat64(0, 0.1), d.setFloat64(8, 7))), [0.1, 7]],
    // NumPy: np.float16([1.5, -0.0999755859375, 5.960464477539063e-08, 65504]).view('<u2')
    [
      '<f2',
      new DataView(Uint16Array.of(0x3e00, 0xae66, 0x0001, 0x7bff).buffer),
      [1.5, -0.0999755859375, 5.960464477539063e-8, 65_504],
    ],
    ['|i1', new DataView(Int8Array.of(-128, 127).buffer), [-128, 127]],
    ['|u1', new DataView(Uint8Array.of(0, 255).buffer), [0, 255]],
    ['|b1', new DataView(Uint8Array.of(0, 1).buffer), [0, 1]],
    ['<i2', new DataView(Int16Array.of(-32_768, 5).buffer), [-32_768, 5]],
    ['>u2', view(2, (d) => d.setUint16(0, 258)), [258]],
    ['<i4', new DataView(Int32Array.of(-(2 ** 31), 2 ** 24 + 1).buffer), [-(2 ** 31), 2 ** 24 + 1]],
    ['<u4', new DataView(Uint32Array.of(2 ** 32 - 1).buffer), [2 ** 32 - 1]],
    ['<i8', new DataView(BigInt64Array.of(-5n, 2n ** 53n).buffer), [-5, 2 ** 53]],
    ['>u8', view(8, (d) => d.setBigUint64(0, 9n)), [9]],
  ])('reads %s', (descr, data, values) => {
    const text = header(descr, false, `(${values.length},)`);
    expect([...readNpy(file(1, text, data)).data]).toEqual(values);
  });

  it('refuses any cut of a file', () => {
    const whole = writeNpy({ shape: [4, 3], data: Float32Array.from({ length: 12 }, (_, i) => i) });
    for (let length = 0; length < whole.length; length++)
      expect(() => readNpy(whole.subarray(0, length))).toThrow(RangeError);
  });

  it('will not write a shape that does not hold the data', () => {
    expect(() => writeNpy({ shape: [2, 2], data: new Float32Array(3) })).toThrow(/does not hold 3/);
  });
});
