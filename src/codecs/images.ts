/** Decodes images to planes and encodes planes to images. Only this folder imports sharp. */
import { readFile } from 'node:fs/promises';
import sharp, { type Metadata, type Sharp } from 'sharp';
import { Problem } from '../errors.ts';
import {
  formats,
  imageFormats,
  isFormat,
  type EncodeOptions,
  type ImageFormat,
} from './formats.ts';
import { grayInSrgb } from './gray-profile.ts';
import { completed } from './jpeg-end.ts';
import { jpegQuality } from './jpeg-quality.ts';
import { faultOf } from './kinds.ts';
import { fittedToJpeg, jpegWith, keptOf, needsCarrier, pngWith, tiffWith } from './metadata.ts';
import { fill, interleave, luma, onBackground, onPaper } from './pixels.ts';
import { carrier, inDisplayP3 } from './profiles.ts';
import { unreadable } from './unreadable.ts';

// Every request has a new image, so sharp's cache is of no use.
sharp.cache(false);

// libvips may use the loaders of these formats only, whatever the bytes are: an SVG of 4 KB can cost 19 s.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: Object.values(imageFormats).map(({ loader }) => `VipsForeignLoad${loader}Buffer`),
});

/** An image as planes: [C,H,W] in [0,1]. */
export interface Planes {
  readonly channels: 1 | 3;
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** A decoded image with the properties needed to encode it in the same way. */
export interface DecodedImage extends Planes {
  readonly format: ImageFormat;
  /** Bits of a channel: 16 only where the file had more than 8. */
  readonly bits: 8 | 16;
  /** [H,W] in [0,1], where the file had an alpha channel. */
  readonly alpha: Float32Array | undefined;
  /** The file, whose metadata an encoded image takes over. */
  readonly source: Uint8Array | undefined;
  /** How a lossy file was saved: the defaults for saving it in the same format again. */
  readonly saved?: Pick<EncodeOptions, 'quality' | 'chroma'>;
}

/** What the header of an image tells: its size in pixels, before its orientation is applied, and its format. */
export type Header = Omit<Metadata, 'format'> & { readonly format: ImageFormat };

/** Reads size and format from the header alone. @throws Problem `bad-image` or `too-large` */
export async function readHeader(bytes: Uint8Array, maxPixels: number): Promise<Header> {
  if (bytes.length === 0) throw new Problem('bad-image', 'The image is empty.');
  const fault = faultOf(bytes);
  if (fault === 'unknown') throw unreadable();
  if (fault) throw new Problem('bad-image', `${fault}; send ${formats.join(', ')}.`);
  const meta = await sharp(bytes, unlimited)
    .metadata()
    .catch((error: unknown) => {
      throw unreadable(error);
    });
  const { width, height, space, depth, pages = 1 } = meta;
  const format = meta.format === 'heif' && meta.compression === 'av1' ? 'avif' : meta.format;
  const refuse = (detail: string): never => {
    throw new Problem('bad-image', detail);
  };
  if (!isFormat(format))
    return refuse(`Images of the format ${format} are not taken; send ${formats.join(', ')}.`);
  if (pages > 1) refuse(`The image has ${pages} frames or pages; send one picture at a time.`);
  if (depth !== 'uchar' && depth !== 'ushort')
    refuse(`Images of ${numbers(depth)} are not taken; send whole numbers of 8 or 16 bits.`);
  if (!['b-w', 'grey16', 'srgb', 'rgb16', 'cmyk'].includes(space))
    refuse(`Images in the colour space ${space} are not taken; send gray or RGB.`);
  if (width * height > maxPixels) {
    throw new Problem(
      'too-large',
      `The image has ${width}×${height} pixels; at most ${maxPixels} pixels are taken. Send a smaller one.`,
    );
  }
  return { ...meta, format };
}

const numbers = (depth: string): string =>
  ({ float: 'floating-point numbers (32 bits)', double: 'floating-point numbers (64 bits)' })[
    depth
  ] ?? `${depth} numbers`;

/**
 * Decodes an image with its EXIF orientation applied, keeping gray images gray and values in the image's own profile.
 * @throws Problem `bad-image`, or `too-large` from the header alone
 */
export async function decodeImage(bytes: Uint8Array, maxPixels: number): Promise<DecodedImage> {
  return decodeWith(bytes, await readHeader(bytes, maxPixels));
}

/** The same, where the header was read before. @throws Problem `bad-image` */
export async function decodeWith(bytes: Uint8Array, meta: Header): Promise<DecodedImage> {
  const file = await completed(bytes, meta);
  const image = await read(file, channelsOf(meta), meta);
  return {
    ...image,
    format: meta.format,
    source: file,
    ...(meta.format === 'jpeg' && { saved: savedAs(bytes, meta) }),
  };
}

/** Saved again with less, a picture would lose more than noise. */
const LEAST_QUALITY = 85;

function savedAs(
  jpeg: Uint8Array,
  { chromaSubsampling }: Header,
): Pick<EncodeOptions, 'quality' | 'chroma'> {
  const quality = jpegQuality(jpeg);
  return {
    ...(quality !== undefined && { quality: Math.max(quality, LEAST_QUALITY) }),
    ...(chromaSubsampling === '4:2:0' && { chroma: '4:2:0' }),
  };
}

/** Reads a file as gray (1) or colour (3) without alpha; `channels` defaults to those of the image. */
export async function readImage(file: string, channels?: 1 | 3): Promise<Planes> {
  const bytes = await readFile(file);
  const meta = await readHeader(bytes, Number.POSITIVE_INFINITY);
  return read(await completed(bytes, meta), channels ?? channelsOf(meta), meta);
}

/**
 * The central square of an image (bytes or file path), EXIF orientation applied, scaled to `side`×`side` pixels.
 * Transparent parts become white.
 * @throws Problem `bad-image`, or `too-large` from the header alone
 */
export async function readSquare(
  input: Uint8Array | string,
  side: number,
  channels: 1 | 3,
  maxPixels = Number.POSITIVE_INFINITY,
): Promise<Planes> {
  const bytes = typeof input === 'string' ? await readFile(input) : input;
  const meta = await readHeader(bytes, maxPixels);
  const image = await readInSrgb(bytes, channels, meta, (opened) => {
    const opaque = meta.hasAlpha ? opened.flatten({ background: 'white' }) : opened;
    return opaque.resize(side, side, { fit: 'cover' });
  });
  return { channels, width: side, height: side, data: image.data };
}

/** Side of the square that drawings are scaled down to fit into, pixels: enough for a small one on a large sheet. */
const SHEET = 512;

/**
 * A whole drawing (bytes or file path) in gray, EXIF orientation applied, scaled down to at most 512×512 pixels.
 * Transparent parts become paper: where what is visible is all ink, they differ from it; else they continue its ground.
 * @throws Problem `bad-image`, or `too-large` from the header alone
 */
export async function readDrawing(
  input: Uint8Array | string,
  maxPixels = Number.POSITIVE_INFINITY,
): Promise<Planes> {
  const bytes = typeof input === 'string' ? await readFile(input) : input;
  const meta = await readHeader(bytes, maxPixels);
  const image = await readInSrgb(bytes, meta.hasAlpha ? 3 : 1, meta, (opened) =>
    opened.resize(SHEET, SHEET, { fit: 'inside', withoutEnlargement: true }),
  );
  const { width, height, data, alpha } = image;
  return { channels: 1, width, height, data: alpha ? onPaper(luma(data), alpha) : data };
}

/** Memory that decoding to planes takes at its peak, bytes: the pixels as they are stored, and as float32. */
export function decodingBytes(meta: Header): number {
  const { width, height, channels, depth } = meta;
  const values = width * height * Math.max(channels, meta.channels === 2 ? 4 : channels);
  return values * ((depth === 'ushort' ? 2 : 1) + Float32Array.BYTES_PER_ELEMENT);
}

/** Memory that `readSquare` takes at its peak, bytes: the image's pixels, should they have to be held at once. */
export const squareBytes = ({ width, height, channels, depth }: Header): number =>
  width * height * Math.max(3, channels) * (depth === 'ushort' ? 2 : 1);

/** Channels of the planes that an image is decoded to. */
export const channelsOf = (meta: Header): 1 | 3 => (meta.channels < 3 ? 1 : 3);

const unlimited = { limitInputPixels: false } as const;

/** Opens an image with its orientation applied; damaged files are errors. */
const open = (bytes: Uint8Array, ignoreIcc: boolean): Sharp =>
  sharp(bytes, { ...unlimited, failOn: 'error', ignoreIcc }).autoOrient();

const spaceOf = (channels: 1 | 3, bits: 8 | 16): string =>
  channels === 1 ? (bits === 16 ? 'grey16' : 'b-w') : bits === 16 ? 'rgb16' : 'srgb';

type Change = (image: Sharp) => Sharp;

/** As `read`, with values converted to sRGB where the file has a profile. */
async function readInSrgb(
  bytes: Uint8Array,
  channels: 1 | 3,
  meta: Header,
  change: Change,
): Promise<Pixels> {
  const file = await completed(bytes, meta);
  if (!meta.icc || meta.space === 'cmyk') return read(file, channels, meta, change, false);
  const isColour = channelsOf(meta) === 3;
  if (isColour && meta.depth === 'uchar') return read(file, channels, meta, change, false);
  const shallow = { ...meta, depth: 'uchar' } as const;
  if (isColour) {
    // Colours of 16 bits are converted to Display P3, and only those of 8 bits from there to sRGB.
    const copy = await inDisplayP3(open(file, false)).catch((error: unknown) => {
      throw unreadable(error);
    });
    return read(copy, channels, shallow, change, false);
  }
  const image = await read(file, 1, meta);
  const data = grayInSrgb(image.data, meta.icc);
  const copy = await encodeImage(
    { ...image, data, bits: 8, format: 'png', source: undefined },
    'png',
  );
  return read(copy, channels, shallow, change);
}

type Pixels = Omit<DecodedImage, 'format' | 'source' | 'saved'>;

/** Reads pixels in the image's own profile, unless it is to be applied; CMYK becomes RGB by its profile. */
async function read(
  bytes: Uint8Array,
  channels: 1 | 3,
  meta: Header,
  change: Change = (image) => image,
  ignoreIcc = meta.space !== 'cmyk',
): Promise<Pixels> {
  const bits = meta.depth === 'ushort' ? 16 : 8;
  // For 8-bit gray sharp returns the first channel only; to get the alpha channel too, gray is read as RGB.
  const space = meta.channels === 2 ? spaceOf(3, bits) : spaceOf(channels, bits);
  const { data, info } = await change(open(bytes, ignoreIcc))
    .toColourspace(space)
    .raw({ depth: bits === 16 ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => {
      throw unreadable(error);
    });
  const stored =
    bits === 16 ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data;
  // libvips shifts the 10 or 12 bits of an AVIF to the left.
  const unused = bits === 16 && meta.format === 'avif' ? 16 - (meta.bitsPerSample ?? 16) : 0;
  const most = 2 ** bits - 2 ** unused;
  const pixels = info.width * info.height;
  const plane = (c: number, target: Float32Array): Float32Array =>
    fill(target, stored, c, info.channels, 1 / most);
  const planes = new Float32Array(channels * pixels);
  for (let c = 0; c < channels; c++)
    plane(Math.min(c, info.channels - 1), planes.subarray(c * pixels, (c + 1) * pixels));
  const hasAlpha = meta.hasAlpha && info.channels > channels;
  const alpha = hasAlpha ? plane(info.channels - 1, new Float32Array(pixels)) : undefined;
  return { channels, width: info.width, height: info.height, data: planes, bits, alpha };
}

/**
 * Encodes planes, with the metadata of the source file unless it is to be stripped. Bit depth and channels are reduced to what the format supports;
 * where that excludes gray, values with a gray profile are converted to sRGB. Values are clipped to [0,1].
 */
export async function encodeImage(
  image: DecodedImage,
  format: ImageFormat,
  options: EncodeOptions = {},
): Promise<Uint8Array> {
  const { width, height, channels, source } = image;
  const { deep, gray, alpha, encode } = imageFormats[format];
  const { metadata = 'keep' } = options;
  const file =
    source && keptOf(source, await sharp(source, unlimited).metadata(), channels, metadata);
  const isConverted = channels === 1 && !gray && file?.icc !== undefined;
  const shown = isConverted ? { ...image, data: grayInSrgb(image.data, file.icc) } : image;
  const fitted = format === 'jpeg' && file ? fittedToJpeg(file) : file;
  const kept = fitted && isConverted ? { ...fitted, icc: undefined } : fitted;
  const bits = deep ? image.bits : 8;
  const pixels = interleave(alpha ? shown : onBackground(shown, options.background), bits);
  const raw = { width, height, channels: (channels + (image.alpha ? 1 : 0)) as 1 | 2 | 3 | 4 };
  const input = sharp(pixels, { raw, ...unlimited });
  if (!alpha) input.removeAlpha();
  const coloured = input.toColourspace(spaceOf(channels, bits));
  const defaults = format === image.format ? image.saved : {};
  const written = (from: Sharp): Promise<Buffer> =>
    encode(from, { ...defaults, ...options }).toBuffer();
  if (format === 'tiff') return tiffWith(await written(coloured), kept);
  if (!kept) return written(coloured);
  if (format === 'png') return pngWith(await written(coloured), kept);
  const answer = await written(
    needsCarrier(kept) ? await carrier(coloured, kept, spaceOf(channels, 8)) : coloured,
  );
  return format === 'jpeg' ? jpegWith(answer, kept) : answer;
}
