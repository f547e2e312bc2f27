/** What a file is by its first bytes, before any decoder sees it: only kinds that are taken are ever parsed. */
import { formats, imageFormats } from './formats.ts';
import { isTiff } from './ifd.ts';
import { tiffFault } from './tiff.ts';

/** The most of a text file that is looked at. */
const TEXT_BYTES = 1024;

type Signature = readonly [name: string, at: number, bytes: string];

/** The beginnings of the formats that are taken, but for TIFF and AVIF, which share theirs with camera raw and video. */
const taken: readonly Signature[] = formats.flatMap((name) => {
  const { signature } = imageFormats[name];
  return signature ? [[name, ...signature] as const] : [];
});

/** Formats with a beginning of their own that are not taken. */
const refused: readonly Signature[] = [
  ['GIF', 0, 'GIF8'],
  ['BMP', 0, 'BM'],
  ['PDF', 0, '%PDF'],
  ['JPEG XL', 0, '\xff\x0a'],
  ['JPEG XL', 4, 'JXL \r\n\x87\n'],
  ['JPEG 2000', 4, 'jP  \r\n\x87\n'],
  ['JPEG 2000', 0, '\xff\x4f\xff\x51'],
  ['Photoshop', 0, '8BPS'],
  ['Windows icon', 0, '\0\0\x01\0'],
  ['Radiance HDR', 0, '#?RA'],
  ['Radiance HDR', 0, '#?RGBE'],
  ['OpenEXR', 0, 'v/1\x01'],
  ['FITS', 0, 'SIMPLE  ='],
  ['QOI', 0, 'qoif'],
  ['DDS', 0, 'DDS '],
  ['Camera raw', 0, 'FUJIFILMCCD-RAW'],
  ['Camera raw', 0, 'IIU\0'],
  ['Camera raw', 0, 'IIRO'],
  ['Camera raw', 0, 'IIRS'],
  ['Camera raw', 0, 'MMOR'],
  ['NumPy', 0, '\x93NUMPY'],
  ['gzip', 0, '\x1f\x8b'],
  ['ZIP', 0, 'PK\x03\x04'],
];

/**
 * Why a file is refused by its first bytes, in a sentence without the formats to send instead; undefined where it is of a
 * kind that is taken, and `unknown` where the bytes are those of no known format.
 */
export function faultOf(bytes: Uint8Array): string | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = match(file, taken);
  if (kind === 'png') return isAnimatedPng(file) ? animated('PNG') : undefined;
  if (kind) return undefined;
  if (isTiff(file)) return tiffFault(file);
  const named = match(file, refused) ?? pnm(file) ?? textKind(file);
  if (named) return `${named} is not taken`;
  if (file.toString('latin1', 4, 8) === 'ftyp') return brandFault(file);
  return 'unknown';
}

const animated = (name: string): string =>
  `The ${name} is an animation; one picture at a time is taken`;

const match = (file: Buffer, signatures: readonly Signature[]): string | undefined =>
  signatures.find(([, at, bytes]) => file.toString('latin1', at, at + bytes.length) === bytes)?.[0];

const pnm = (file: Buffer): string | undefined =>
  /^P[1-7fF]\s/.test(file.toString('latin1', 0, 3)) ? 'PNM' : undefined;

/** SVG and other markup, which may begin with a byte order mark, blanks or comments. */
function textKind(file: Buffer): string | undefined {
  const text = file.toString('latin1', 0, TEXT_BYTES).replaceAll('\0', '');
  if (!/^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*</.test(text)) return undefined;
  return /<svg|<!DOCTYPE svg/i.test(text) ? 'SVG' : /<html/i.test(text) ? 'HTML' : 'XML';
}

/** Whether an animation's chunk (acTL) comes before the pixels. Every step goes at least 12 bytes on. */
function isAnimatedPng(file: Buffer): boolean {
  for (let at = 8; at + 8 <= file.length; at += 12 + file.readUInt32BE(at)) {
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'acTL') return true;
    if (type === 'IDAT' || type === 'IEND') return false;
  }
  return false;
}

/** ISO media files: the brands say whether it is an AVIF picture. The list of brands is cut at 64. */
function brandFault(file: Buffer): string | undefined {
  const brand = (at: number): string => file.toString('latin1', at, at + 4);
  const end = Math.min(file.readUInt32BE(0), file.length, 16 + 4 * 64);
  const brands = [brand(8)];
  for (let at = 16; at + 4 <= end; at += 4) brands.push(brand(at));
  if (brands[0] === 'avis') return animated('AVIF');
  if (brands.includes('avif')) return undefined;
  if (brands.some((one) => /^(he[iv][cxms]|mif1|msf1)$/.test(one)))
    return 'HEIC (HEIF without AV1) is not taken';
  return brands[0] === 'crx ' ? 'Camera raw is not taken' : 'Video is not taken';
}
