/** The number types of `.npy` files, as typed arrays of the host. */

/** How the numbers of a `.npy` file are stored, and a reader for them. */
export interface NpyType {
  /** Bytes of a number in the file. */
  readonly size: number;
  /** Numbers from the bytes of a file, which must be whole; 64-bit integers are rounded to float64. */
  read(bytes: Uint8Array): Float32Array | Float64Array;
}

type Getter = (view: DataView, at: number, little: boolean) => number;

/** Types whose values float32 holds exactly, and those that are kept in float64, by their code. */
const single: Readonly<Record<string, Getter>> = {
  f2: (view, at, little) => half(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  i1: (view, at) => view.getInt8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  u1: (view, at) => view.getUint8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  b1: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
};
const double: Readonly<Record<string, Getter>> = {
  f8: (view, at, little) => view.getFloat64(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  u4: (view, at, little) => view.getUint32(at, little),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
};

/** @param descr the header's word for the type, such as `<f4` @throws RangeError, a sentence that names what to send instead */
export function typeOf(descr: string): NpyType {
  const [, order = '', code = ''] = /^([<>|=]?)([fiub]\d)$/.exec(descr) ?? [];
  if (/^[<>|=]?c\d+$/.test(descr))
    throw new RangeError(
      `Its numbers are complex (${descr}); send the problem in its real form: a matrix A as [[Re A, −Im A], [Im A, Re A]], a vector as [Re, Im].`,
    );
  const get = single[code] ?? double[code];
  if (!get)
    throw new RangeError(
      `Its type is ${descr.slice(0, 20)}; real numbers can be read: floats of 16, 32 and 64 bits, integers and bool. Convert it with .astype('<f4').`,
    );
  const size = Number(code[1]);
  const little = order !== '>';
  return {
    size,
    read(bytes) {
      // A copy, because a typed array must begin at a multiple of its element's size.
      if (little && code === 'f4') return new Float32Array(new Uint8Array(bytes).buffer);
      if (little && code === 'f8') return new Float64Array(new Uint8Array(bytes).buffer);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const length = bytes.byteLength / size;
      const numbers = code in single ? new Float32Array(length) : new Float64Array(length);
      for (let i = 0; i < length; i++) numbers[i] = get(view, i * size, little);
      return numbers;
    },
  };
}

/** The value of an IEEE 754 number of 16 bits: a sign, 5 bits of exponent, 10 of fraction. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}
