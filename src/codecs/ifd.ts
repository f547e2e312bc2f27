/** Directories of tags, as TIFF files and EXIF blocks hold them: read in either byte order, written in little-endian. */

/** A tag and its value, little-endian. */
export interface Field {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly value: Buffer;
}

/** The fields of a directory, pointers apart, and the directories that its pointers lead to, by the pointer's tag. */
export interface Directory {
  readonly fields: readonly Field[];
  readonly children: ReadonlyMap<number, Directory>;
}

/** The tag of the pointer to the EXIF directory. */
export const EXIF_IFD = 34_665;
const GPS_IFD = 34_853;
const INTEROPERABILITY_IFD = 40_965;
const ROOT = 0;

/** The pointers that are followed, by the directory that they are in; its own pointer's tag names it. */
const pointers: Readonly<Record<number, readonly number[]>> = {
  [ROOT]: [EXIF_IFD, GPS_IFD],
  [EXIF_IFD]: [INTEROPERABILITY_IFD],
};

/** Bytes of a value and the bytes that byte order swaps, by type. From 14 on they are of BigTIFF alone. */
const types: Readonly<Record<number, readonly [bytes: number, unit: 1 | 2 | 4 | 8]>> = {
  1: [1, 1], // BYTE
  2: [1, 1], // ASCII
  3: [2, 2], // SHORT
  4: [4, 4], // LONG
  5: [8, 4], // RATIONAL
  6: [1, 1], // SBYTE
  7: [1, 1], // UNDEFINED
  8: [2, 2], // SSHORT
  9: [4, 4], // SLONG
  10: [8, 4], // SRATIONAL
  11: [4, 4], // FLOAT
  12: [8, 8], // DOUBLE
  13: [4, 4], // IFD
  16: [8, 8], // LONG8
  18: [8, 8], // IFD8
};
const LAST_CLASSIC_TYPE = 13;
const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;

/** The most fields of a directory that are read. */
const MAX_FIELDS = 1000;

/** Reads the numbers of a TIFF in its byte order. */
export interface Numbers {
  readonly file: Buffer;
  readonly little: boolean;
  readonly isBig: boolean;
  readonly u16: (at: number) => number;
  /** 4 bytes. */
  readonly u32: (at: number) => number;
  /** 8 bytes; inexact beyond 2^53, which is outside any file. */
  readonly u64: (at: number) => number;
}

/** Whether the first four bytes are the signature of TIFF or BigTIFF, in either byte order. */
export const isTiff = (file: Buffer): boolean =>
  /^(?:II[*+]\0|MM\0[*+])/.test(file.toString('latin1', 0, 4));

/** How numbers are read in a file that begins with the signature of TIFF. */
export function numbersOf(file: Buffer): Numbers {
  const little = file[0] === 0x49;
  const u16 = (at: number): number => (little ? file.readUInt16LE(at) : file.readUInt16BE(at));
  const u32 = (at: number): number => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const u64 = (at: number): number =>
    little ? u32(at) + 2 ** 32 * u32(at + 4) : 2 ** 32 * u32(at) + u32(at + 4);
  return { file, little, isBig: file[little ? 2 : 3] === 0x2b, u16, u32, u64 };
}

/**
 * The first directory of a TIFF or EXIF block, with EXIF, GPS and interoperability. Fields outside the file and of unknown
 * type are left out; together the values take no more bytes than the file. Undefined where it is no TIFF.
 */
export function readDirectory(file: Buffer): Directory | undefined {
  if (file.length < 16 || !isTiff(file)) return undefined;
  const numbers = numbersOf(file);
  const at = numbers.isBig ? numbers.u64(8) : numbers.u32(4);
  return directoryAt(numbers, at, ROOT, { left: file.length });
}

function directoryAt(
  numbers: Numbers,
  at: number,
  own: number,
  budget: { left: number },
): Directory {
  const fields: Field[] = [];
  const children = new Map<number, Directory>();
  const followed = pointers[own] ?? [];
  for (const field of fieldsAt(numbers, at, budget)) {
    const { tag, type, value } = field;
    if (followed.includes(tag) && value.length >= 4) {
      const target = value.length < 8 ? value.readUInt32LE() : Number(value.readBigUInt64LE());
      const child = directoryAt(numbers, target, tag, budget);
      if (child.fields.length > 0) children.set(tag, child);
    } else if (type <= LAST_CLASSIC_TYPE) fields.push(field);
  }
  return { fields, children };
}

function* fieldsAt(numbers: Numbers, at: number, budget: { left: number }): Generator<Field> {
  const { file, little, isBig, u16, u32, u64 } = numbers;
  const place = isBig ? u64 : u32;
  const [head, entry, inline] = isBig ? [8, 20, 8] : [2, 12, 4];
  if (at + head > file.length) return;
  const count = Math.min(isBig ? u64(at) : u16(at), MAX_FIELDS);
  const seen = new Set<number>();
  for (let i = 0, from = at + head; i < count && from + entry <= file.length; i++, from += entry) {
    const [tag, type, values] = [u16(from), u16(from + 2), place(from + 4)];
    const [bytes, unit] = types[type] ?? [0, 1];
    const size = bytes * values;
    if (size === 0 || size > budget.left || seen.has(tag)) continue;
    const start = size > inline ? place(from + entry - inline) : from + entry - inline;
    if (start + size > file.length) continue;
    seen.add(tag);
    budget.left -= size;
    const value = Buffer.from(file.subarray(start, start + size));
    yield { tag, type, count: values, value: little ? value : swapped(value, unit) };
  }
}

function swapped(value: Buffer, unit: 1 | 2 | 4 | 8): Buffer {
  if (unit === 2) return value.swap16();
  if (unit === 4) return value.swap32();
  return unit === 8 ? value.swap64() : value;
}

/** The bytes of a directory that stands at `at` in its file (an even number), followed by its values and its children. */
export function writeDirectory({ fields, children }: Directory, at: number): Buffer {
  let next = at + sizeOf(fields, children.size);
  const below: Buffer[] = [];
  const links: Field[] = [];
  for (const [tag, child] of children) {
    const bytes = writeDirectory(child, next);
    links.push(long(tag, next));
    next += bytes.length;
    below.push(bytes);
  }
  return Buffer.concat([table([...fields, ...links], at), ...below]);
}

const padded = (size: number): number => size + (size % 2);

const sizeOf = (fields: readonly Field[], links: number): number =>
  fields.reduce(
    (sum, { value }) => sum + 12 + (value.length > 4 ? padded(value.length) : 0),
    6 + 12 * links,
  );

function table(fields: readonly Field[], at: number): Buffer {
  const bytes = Buffer.alloc(sizeOf(fields, 0));
  bytes.writeUInt16LE(fields.length);
  let data = 6 + 12 * fields.length;
  const sorted = [...fields].sort((a, b) => a.tag - b.tag);
  sorted.forEach(({ tag, type, count, value }, i) => {
    const entry = 2 + 12 * i;
    bytes.writeUInt16LE(tag, entry);
    bytes.writeUInt16LE(type, entry + 2);
    bytes.writeUInt32LE(count, entry + 4);
    if (value.length <= 4) return void value.copy(bytes, entry + 8);
    bytes.writeUInt32LE(at + data, entry + 8);
    value.copy(bytes, data);
    data += padded(value.length);
  });
  return bytes;
}

const long = (tag: number, number: number): Field => {
  const value = Buffer.alloc(4);
  value.writeUInt32LE(number);
  return { tag, type: LONG, count: 1, value };
};

/** A field of one 16-bit number. */
export function short(tag: number, number: number): Field {
  const value = Buffer.alloc(2);
  value.writeUInt16LE(number);
  return { tag, type: SHORT, count: 1, value };
}

/** A field of one non-negative number, in thousandths. */
export function rational(tag: number, number: number): Field {
  const value = Buffer.alloc(8);
  value.writeUInt32LE(Math.round(1000 * number));
  value.writeUInt32LE(1000, 4);
  return { tag, type: RATIONAL, count: 1, value };
}

/** A field of bytes. @param type 1 for bytes, 7 for what only its reader can tell */
export const bytesField = (tag: number, type: 1 | 7, value: Buffer): Field => ({
  tag,
  type,
  count: value.length,
  value,
});
