/** Chunks of PNG files: what a file says besides its pixels. */
import { deflateSync } from 'node:zlib';

/** A chunk's type of four letters and its content. */
export interface Chunk {
  readonly type: string;
  readonly data: Buffer;
}

const SIGNATURE_BYTES = 8;
/** Length and type before the content, checksum after it. */
const HEAD_BYTES = 8;
const FRAME_BYTES = 12;
/** The most chunks that are looked at, as in libpng. */
const MAX_CHUNKS = 1000;

/** The first thousand chunks beside the pixels; those whose checksums are wrong are left out. */
export function chunksOf(file: Buffer): Chunk[] {
  const chunks: Chunk[] = [];
  let looked = 0;
  for (const { type, start, end } of frames(file)) {
    if (type === 'IDAT') continue;
    if (++looked > MAX_CHUNKS) break;
    const isWhole = crc32(file.subarray(start + 4, end - 4)) === file.readUInt32BE(end - 4);
    if (isWhole) chunks.push({ type, data: file.subarray(start + HEAD_BYTES, end - 4) });
  }
  return chunks;
}

/** The CRC-32 of every byte. */
const remainders = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  return rest;
});

/** The checksum of chunks. Node has it from 20.15 on. */
function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ remainders[(sum ^ byte) & 0xff]!;
  return ~sum >>> 0;
}

/** Where chunks begin and end. */
function* frames(file: Buffer): Generator<{ type: string; start: number; end: number }> {
  for (let start = SIGNATURE_BYTES; start + FRAME_BYTES <= file.length;) {
    const end = start + FRAME_BYTES + file.readUInt32BE(start);
    if (end > file.length) return;
    yield { type: file.toString('latin1', start + 4, start + HEAD_BYTES), start, end };
    start = end;
  }
}

/** What a decoder needs for the pixels. */
const essential: ReadonlySet<string> = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);

/** A PNG with other chunks in the place of all that say more than its pixels. */
export function withChunks(png: Buffer, chunks: readonly Chunk[]): Buffer {
  const parts: Uint8Array[] = [png.subarray(0, SIGNATURE_BYTES)];
  for (const { type, start, end } of frames(png)) {
    if (essential.has(type)) parts.push(png.subarray(start, end));
    if (type === 'IHDR') parts.push(...chunks.map(bytesOf));
  }
  return Buffer.concat(parts);
}

function bytesOf({ type, data }: Chunk): Buffer {
  const bytes = Buffer.alloc(FRAME_BYTES + data.length);
  bytes.writeUInt32BE(data.length);
  bytes.write(type, 4, 'latin1');
  data.copy(bytes, HEAD_BYTES);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4);
  return bytes;
}

const XMP_KEYWORD = 'XML:com.adobe.xmp';

/** Whether a chunk is an iTXt that holds XMP. */
export const isXmp = ({ type, data }: Chunk): boolean =>
  type === 'iTXt' && data.toString('latin1', 0, XMP_KEYWORD.length + 1) === `${XMP_KEYWORD}\0`;

/** XMP as a chunk: keyword, no compression, no language. */
export const xmpChunk = (xmp: Buffer): Chunk => ({
  type: 'iTXt',
  data: Buffer.concat([Buffer.from(`${XMP_KEYWORD}\0\0\0\0\0`, 'latin1'), xmp]),
});

/** A colour profile as a chunk. */
export const profileChunk = (icc: Buffer): Chunk => ({
  type: 'iCCP',
  data: Buffer.concat([Buffer.from('icc\0\0', 'latin1'), deflateSync(icc)]),
});

const METRES_AN_INCH = 0.0254;

/** A resolution as a chunk. @param density pixels an inch */
export function resolutionChunk(density: number): Chunk {
  const data = Buffer.alloc(9);
  const perMetre = Math.round(density / METRES_AN_INCH);
  data.writeUInt32BE(perMetre);
  data.writeUInt32BE(perMetre, 4);
  data[8] = 1;
  return { type: 'pHYs', data };
}

/** Primaries and transfer of colours, by their numbers in ITU-T H.273, as a chunk: RGB, full range. */
export const codePointsChunk = (primaries: number, transfer: number): Chunk => ({
  type: 'cICP',
  data: Buffer.of(primaries, transfer, 0, 1),
});
