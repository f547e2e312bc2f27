/** NumPy's `.npy`: one array with its shape. Reads versions 1 to 3 of the format, writes version 1. */
import { shortened } from '../errors.ts';
import { typeOf, type NpyType } from './npy-types.ts';

/** An array as it is read from or written to a `.npy` file. */
export interface NpyArray {
  /** Dimensions, outermost first; [] is a single number. */
  readonly shape: readonly number[];
  /** Row after row (C order), whatever the order in the file. */
  readonly data: Float32Array | Float64Array;
}

/** NumPy's own bound on dimensions was 32 until version 2 (now 64). */
const MOST_DIMENSIONS = 32;
/** Bytes of a header: of any array of real numbers it takes a few hundred. */
const MOST_HEADER = 65_536;

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * @throws RangeError, a sentence that says what is wrong with the file
 */
export function readNpy(bytes: Uint8Array): NpyArray {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw new RangeError('It does not begin as a .npy file does.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6]!;
  if (version < 1 || version > 3)
    throw new RangeError(
      `It is version ${version} of the .npy format; versions 1, 2 and 3 can be read.`,
    );
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw new RangeError('The file ends within its header.');
  const end = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (end - start > MOST_HEADER)
    throw new RangeError(
      `Its header is ${end - start} bytes long; at most ${MOST_HEADER} are read.`,
    );
  if (end > bytes.length) throw new RangeError('The file ends within its header.');
  const { type, fortran, shape } = parseHeader(
    new TextDecoder('latin1').decode(bytes.subarray(start, end)),
  );
  const length = shape.reduce((a, b) => a * b, 1);
  if (bytes.length - end !== length * type.size) {
    throw new RangeError(
      `Its shape [${shortened(shape.join(', '))}] takes ${length * type.size} bytes of data, but ${bytes.length - end} follow the header.`,
    );
  }
  const stored = type.read(bytes.subarray(end));
  return { shape, data: fortran && shape.length > 1 ? toRowMajor(stored, shape) : stored };
}

/** The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }. */
function parseHeader(header: string): { type: NpyType; fortran: boolean; shape: number[] } {
  const descr = /'descr'\s*:\s*(?:'([^']*)'|(\[))/.exec(header);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header);
  const dims = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header);
  if (!descr || !order || !dims)
    throw new RangeError('Its header does not name descr, fortran_order and shape.');
  const type = typeOf(descr[1] ?? 'a record');
  const shape = (dims[1]!.match(/\d+/g) ?? []).map(Number);
  if (shape.length > MOST_DIMENSIONS)
    throw new RangeError(`It has ${shape.length} dimensions; at most ${MOST_DIMENSIONS} are read.`);
  if (shape.reduce((a, b) => a * b, 1) > Number.MAX_SAFE_INTEGER)
    throw new RangeError(`Its shape [${shortened(shape.join(', '))}] is beyond any file.`);
  return { type, fortran: order[1] === 'True', shape };
}

function toRowMajor<T extends Float32Array | Float64Array>(source: T, shape: readonly number[]): T {
  const target = source.slice() as T;
  const strides = shape.map((_, i) => shape.slice(0, i).reduce((a, b) => a * b, 1));
  const index = shape.map(() => 0);
  for (let i = 0, from = 0; i < target.length; i++) {
    target[i] = source[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return target;
}

/** @param data in C order; float32 and float64 keep their type */
export function writeNpy({ shape, data }: NpyArray): Uint8Array<ArrayBuffer> {
  if (shape.reduce((a, b) => a * b, 1) !== data.length)
    throw new RangeError(`The shape [${shape.join(', ')}] does not hold ${data.length} values.`);
  const type = data instanceof Float32Array ? '<f4' : '<f8';
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${dims}), }`;
  // The data begins at a multiple of 64 bytes, and the header ends with a newline.
  const header = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const bytes = new Uint8Array(10 + header.length + data.byteLength);
  bytes.set([...MAGIC, 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + header.length);
  return bytes;
}
