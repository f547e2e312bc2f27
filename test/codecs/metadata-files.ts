/** Files with metadata, drawn byte by byte. */
import { crc32 } from 'node:zlib';

export type Entry = readonly [tag: number, type: number, value: string | readonly number[]];
export type Order = 'II' | 'MM';

const BYTES: Readonly<Record<number, 1 | 2 | 4>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 7: 1 };

/** A TIFF: its data from byte 8 on, directories below the first by the tag that points to them, and a second one with a thumbnail. */
export function tiffOf(
  order: Order,
  first: readonly Entry[],
  more: {
    readonly data?: Buffer;
    readonly children?: Readonly<Record<number, readonly Entry[]>>;
    readonly second?: readonly Entry[];
  } = {},
): Buffer {
  const little = order === 'II';
  const number = (size: 1 | 2 | 4, value: number): Buffer => {
    const bytes = Buffer.alloc(size);
    if (little) bytes.writeUIntLE(value, 0, size);
    else bytes.writeUIntBE(value, 0, size);
    return bytes;
  };
  let file = Buffer.concat([
    Buffer.from(little ? 'II*\0' : 'MM\0*', 'latin1'),
    Buffer.alloc(4),
    more.data ?? Buffer.alloc(0),
  ]);
  const append = (bytes: Buffer): number => {
    const at = file.length + (file.length % 2);
    file = Buffer.concat([file, Buffer.alloc(at - file.length), bytes]);
    return at;
  };
  const directory = (entries: readonly Entry[], next: number): number => {
    const rows = [...entries]
      .sort(([a], [b]) => a - b)
      .map(([tag, type, value]) => {
        const size = BYTES[type]!;
        const bytes =
          typeof value === 'string'
            ? Buffer.from(`${value}\0`, 'latin1')
            : Buffer.concat(value.map((one) => number(size, one)));
        const count = bytes.length / (type === 5 ? 8 : size);
        const held =
          bytes.length > 4
            ? number(4, append(bytes))
            : Buffer.concat([bytes, Buffer.alloc(4 - bytes.length)]);
        return Buffer.concat([number(2, tag), number(2, type), number(4, count), held]);
      });
    return append(Buffer.concat([number(2, rows.length), ...rows, number(4, next)]));
  };
  const links = Object.entries(more.children ?? {}).map(([tag, entries]): Entry => [
    Number(tag),
    4,
    [directory(entries, 0)],
  ]);
  const next = more.second ? directory(more.second, 0) : 0;
  const at = directory([...first, ...links], next);
  number(4, at).copy(file, 4);
  return file;
}

/** A chunk of a PNG. */
export function chunk(type: string, data: Uint8Array | string): Buffer {
  const body = Buffer.concat([Buffer.from(type), Buffer.from(data as string, 'latin1')]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length - 4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A PNG with more chunks after its header. */
export const withPngChunks = (png: Uint8Array, ...chunks: Buffer[]): Buffer =>
  Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);

/** The chunks of a PNG as type and content in Latin-1. */
export function pngChunks(png: Uint8Array): [type: string, content: string][] {
  const file = Buffer.from(png);
  const found: [string, string][] = [];
  for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
    const end = at + 8 + file.readUInt32BE(at);
    found.push([file.toString('latin1', at + 4, at + 8), file.toString('latin1', at + 8, end)]);
  }
  return found;
}

/** A JPEG with a segment after its first bytes. */
export function withSegment(jpeg: Uint8Array, marker: number, content: Buffer): Buffer {
  const head = Buffer.of(0xff, marker, 0, 0);
  head.writeUInt16BE(content.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, content, jpeg.subarray(2)]);
}

/** A WebP in the extended format with one more chunk. @param flag that chunk's bit in the header */
export function withWebpChunk(
  webp: Uint8Array,
  type: string,
  flag: number,
  data: Buffer,
  width: number,
  height: number,
): Buffer {
  const riff = (name: string, content: Buffer): Buffer => {
    const head = Buffer.alloc(8);
    head.write(name, 'latin1');
    head.writeUInt32LE(content.length, 4);
    return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
  };
  const header = Buffer.alloc(10);
  header[0] = flag;
  header.writeUIntLE(width - 1, 4, 3);
  header.writeUIntLE(height - 1, 7, 3);
  const body = Buffer.concat([riff('VP8X', header), webp.subarray(12), riff(type, data)]);
  return riff('RIFF', Buffer.concat([Buffer.from('WEBP'), body]));
}

/** An AVIF as libvips writes it, with code points in the place of the property that tells its bits. */
export function withCodePoints(avif: Uint8Array, primaries: number, transfer: number): Buffer {
  const file = Buffer.from(avif);
  const old = file.indexOf('pixi') - 4;
  const size = file.readUInt32BE(old);
  const box = Buffer.from('\0\0\0\x13colrnclx\0\0\0\0\0\x06\x80', 'latin1');
  box.writeUInt16BE(primaries, 12);
  box.writeUInt16BE(transfer, 14);
  const more = box.length - size;
  for (const name of ['meta', 'iprp', 'ipco']) {
    const at = file.indexOf(name) - 4;
    file.writeUInt32BE(file.readUInt32BE(at) + more, at);
  }
  const pixels = Buffer.alloc(4);
  pixels.writeUInt32BE(file.indexOf('mdat') + 4);
  const place = file.indexOf(pixels, file.indexOf('iloc'));
  file.writeUInt32BE(file.readUInt32BE(place) + more, place);
  return Buffer.concat([file.subarray(0, old), box, file.subarray(old + size)]);
}
