/** Metadata that an answer takes over from the file it is made of, and its writing into files that hold pixels alone. */
import { codePointsOf, type CodePoints } from './avif.ts';
import { isUsual } from './colour.ts';
import { exifBlock, resolutionOf, tellsMore, trueTags } from './exif.ts';
import {
  bytesField,
  rational,
  readDirectory,
  short,
  writeDirectory,
  type Directory,
  type Field,
} from './ifd.ts';
import { withSegments } from './jpeg-segments.ts';
import { iptcOf, jpegContent, keptResources, resourceOf, resourcesOfJpeg } from './photoshop.ts';
import {
  chunksOf,
  codePointsChunk,
  isXmp,
  profileChunk,
  resolutionChunk,
  withChunks,
  xmpChunk,
  type Chunk,
} from './png.ts';
import { cleanXmp } from './xmp.ts';

/** What libvips tells of a file. */
interface FileHeader {
  readonly format?: string | undefined;
  readonly space: string;
  readonly icc?: Buffer | undefined;
  readonly exif?: Buffer | undefined;
  readonly xmp?: Buffer | undefined;
  readonly iptc?: Buffer | undefined;
  /** Pixels an inch. */
  readonly density?: number | undefined;
}

/** Metadata that is true of the answer; none of it is damaged, since that is dropped. */
export interface Kept {
  /** A profile for the pixels' number of channels. */
  readonly icc: Buffer | undefined;
  /** The tags of EXIF, or of a TIFF. */
  readonly tags: Directory | undefined;
  readonly xmp: Buffer | undefined;
  /** Photoshop's resources, IPTC among them. */
  readonly resources: Buffer | undefined;
  readonly density: number | undefined;
  /** Code points of an AVIF without profile. */
  readonly codePoints: CodePoints | undefined;
  /** The chunks of a PNG but those made of the above, profile and resolution excepted. */
  readonly chunks: readonly Chunk[] | undefined;
}

/** What libvips answers where a file has none, pixels an inch. */
const DEFAULT_DENSITY = 72;

/** The metadata of a file that holds for its pixels as decoded, in `channels` channels. */
export function keptOf(
  bytes: Uint8Array,
  header: FileHeader,
  channels: 1 | 3,
  metadata: 'keep' | 'strip',
): Kept {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { format, icc, exif, density } = header;
  const isKeep = metadata === 'keep';
  const xmp = isKeep && header.xmp ? cleanXmp(header.xmp) : undefined;
  const block = format === 'tiff' ? file : exif;
  const space = icc?.toString('latin1', 16, 20);
  const fits = header.space !== 'cmyk' && space === (channels === 1 ? 'GRAY' : 'RGB ');
  return {
    icc: fits ? icc : undefined,
    tags: block && trueTags(block, metadata),
    xmp,
    resources: isKeep ? resourcesOf(file, header) : undefined,
    density: density === DEFAULT_DENSITY ? undefined : density,
    codePoints: format === 'heif' && !icc ? codePointsOf(file) : undefined,
    chunks: format === 'png' ? ownChunks(file, metadata, fits) : undefined,
  };
}

const IPTC = 33_723;
const PHOTOSHOP = 34_377;

function resourcesOf(file: Buffer, { format, iptc }: FileHeader): Buffer | undefined {
  const fields = format === 'tiff' ? (readDirectory(file)?.fields ?? []) : [];
  const block =
    fields.find(({ tag }) => tag === PHOTOSHOP)?.value ?? (iptc && resourcesOfJpeg(iptc));
  const record = fields.find(({ tag }) => tag === IPTC)?.value;
  const kept = block ? keptResources(block) : Buffer.alloc(0);
  const whole = record && !iptcOf(kept) ? Buffer.concat([kept, resourceOf(record)]) : kept;
  return whole.length > 0 ? whole : undefined;
}

/** Chunks of which a PNG has one at most, and how long they are; undefined where that varies. */
const colourChunks: Readonly<Record<string, number | undefined>> = {
  ...{ iCCP: undefined, sRGB: 1, gAMA: 4, cHRM: 32, cICP: 4, mDCV: 24, cLLI: 8 },
  pHYs: 9,
};
const TIME = { tIME: 7 };
const texts: ReadonlySet<string> = new Set(['tEXt', 'zTXt', 'iTXt']);

/** The chunks of a PNG that are taken over as they are: colour, resolution, and unless stripped its text and date. */
function ownChunks(file: Buffer, metadata: 'keep' | 'strip', hasProfile: boolean): Chunk[] {
  const single = metadata === 'keep' ? { ...colourChunks, ...TIME } : colourChunks;
  const seen = new Set<string>();
  return chunksOf(file).filter((chunk) => {
    const { type, data } = chunk;
    if (texts.has(type)) return metadata === 'keep' && !isXmp(chunk);
    if (!Object.hasOwn(single, type) || seen.has(type)) return false;
    if (type === 'iCCP' && !hasProfile) return false;
    if (data.length !== (single[type] ?? data.length)) return false;
    seen.add(type);
    return true;
  });
}

/** Whether libvips has to pass metadata on to a format that is not written by the functions below. */
export const needsCarrier = ({ icc, tags, xmp }: Kept): boolean =>
  icc !== undefined || xmp !== undefined || (tags !== undefined && tellsMore(tags));

/** A PNG that holds pixels alone, with the metadata. */
export function pngWith(png: Buffer, kept: Kept): Buffer {
  const { icc, tags, xmp, density, codePoints, chunks } = kept;
  const described = chunks ?? [
    ...(icc ? [profileChunk(icc)] : []),
    ...(codePoints && !isUsual(codePoints)
      ? [codePointsChunk(codePoints.primaries, codePoints.transfer)]
      : []),
    ...(density === undefined ? [] : [resolutionChunk(density)]),
  ];
  const exif = tags && tellsMore(tags) ? [{ type: 'eXIf', data: exifBlock(tags) }] : [];
  return withChunks(png, [...described, ...exif, ...(xmp ? [xmpChunk(xmp)] : [])]);
}

/** The longest EXIF and XMP that a JPEG's segment holds, bytes. */
const MAX_SEGMENT = 65_000;

/** The metadata that a JPEG can hold. */
export function fittedToJpeg(kept: Kept): Kept {
  const { tags, xmp } = kept;
  return {
    ...kept,
    tags: tags && exifBlock(tags).length > MAX_SEGMENT ? undefined : tags,
    xmp: xmp && xmp.length > MAX_SEGMENT ? undefined : xmp,
  };
}

/** A JPEG with the metadata that libvips does not carry over from a PNG. */
export const jpegWith = (jpeg: Buffer, { resources, density }: Kept): Buffer =>
  withSegments(jpeg, density, resources && jpegContent(resources));

const XMP = 700;
const ICC = 34_675;
const INCH = 2;

/** A little-endian TIFF that holds pixels alone, with the metadata: its directory is written anew at its end. */
export function tiffWith(tiff: Buffer, kept: Kept | undefined): Buffer {
  const pixels = readDirectory(tiff);
  if (!pixels || tiff.toString('latin1', 0, 4) !== 'II*\0') return tiff;
  const added = tiffFields(kept);
  const replaced = new Set([...added.map(({ tag }) => tag), ...resolutionTags]);
  const fields = [...pixels.fields.filter(({ tag }) => !replaced.has(tag)), ...added];
  const at = tiff.length + (tiff.length % 2);
  const directory = writeDirectory({ fields, children: kept?.tags?.children ?? new Map() }, at);
  const file = Buffer.concat([tiff, Buffer.alloc(at - tiff.length), directory]);
  file.writeUInt32LE(at, 4);
  return file;
}

const [X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT] = [282, 283, 296] as const;
const resolutionTags: readonly number[] = [X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT];

function tiffFields(kept: Kept | undefined): Field[] {
  const { tags, xmp, icc, resources, density = DEFAULT_DENSITY } = kept ?? {};
  const iptc = resources && iptcOf(resources);
  const own = tags?.fields ?? [];
  const isMeasured = tags !== undefined && resolutionOf(tags).length === resolutionTags.length;
  return [
    ...own.filter(({ tag }) => isMeasured || !resolutionTags.includes(tag)),
    ...(isMeasured
      ? []
      : [
          rational(X_RESOLUTION, density),
          rational(Y_RESOLUTION, density),
          short(RESOLUTION_UNIT, INCH),
        ]),
    ...(xmp ? [bytesField(XMP, 1, xmp)] : []),
    ...(icc ? [bytesField(ICC, 7, icc)] : []),
    ...(iptc ? [bytesField(IPTC, 7, iptc)] : []),
    ...(resources ? [bytesField(PHOTOSHOP, 7, resources)] : []),
  ];
}
