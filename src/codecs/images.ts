/** Images as planes of numbers, from and to the formats people send. The only importer of sharp. */
import sharp, { type Metadata, type Sharp } from 'sharp';
import { Problem } from '../errors.ts';

/** An image as numbers: [C,H,W] in [0,1], plane after plane. */
export interface Planes {
  readonly channels: 1 | 3;
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

export const formats = ['png', 'jpeg', 'webp', 'avif', 'tiff'] as const;
export type ImageFormat = (typeof formats)[number];

/** A decoded image, with what is needed to write it as it came. */
export interface DecodedImage extends Planes {
  readonly format: ImageFormat;
  /** Bits of a channel: 16 only where the file had them. */
  readonly depth: 8 | 16;
  /** [H,W] in [0,1], where the file had an alpha channel. */
  readonly alpha: Float32Array | undefined;
}

/** Size and kind, read from the header alone. @throws Problem `bad-image` or `too-large` */
async function inspect(image: Sharp, maxPixels: number): Promise<Omit<Metadata, 'format'> & { format: ImageFormat }> {
  const meta = await image.metadata().catch((error: unknown) => {
    throw unreadable(error);
  });
  const format = meta.format === 'heif' && meta.compression === 'av1' ? 'avif' : meta.format;
  if (!isFormat(format)) throw new Problem('bad-image', `Images of the format ${format} are not taken; send ${formats.join(', ')}.`);
  if ((meta.pages ?? 1) > 1) throw new Problem('bad-image', `The image has ${meta.pages} frames or pages; send one picture at a time.`);
  if (meta.width * meta.height > maxPixels) {
    throw new Problem('too-large', `The image has ${meta.width}×${meta.height} pixels; at most ${maxPixels} are taken (MAX_PIXELS).`);
  }
  return { ...meta, format };
}

/**
 * Decodes an image upright (its EXIF orientation applied), gray where it is gray, in sRGB where it has colours.
 * @throws Problem `bad-image`, or `too-large` from the header alone
 */
export async function decodeImage(bytes: Uint8Array, maxPixels: number): Promise<DecodedImage> {
  if (bytes.length === 0) throw new Problem('bad-image', 'The image is empty.');
  const open = (): Sharp => sharp(bytes, { limitInputPixels: false, failOn: 'error' });
  const meta = await inspect(open(), maxPixels);
  const channels = meta.channels < 3 ? 1 : 3;
  return { ...(await read(open(), channels, meta)), format: meta.format };
}

/** Reads a file as gray (1) or colour (3), without alpha; as it is where `channels` is not given. */
export async function readImage(file: string, channels?: 1 | 3): Promise<Planes> {
  const meta = await inspect(sharp(file), Number.POSITIVE_INFINITY);
  const { alpha: _, ...image } = await read(sharp(file, { limitInputPixels: false }), channels ?? (meta.channels < 3 ? 1 : 3), meta);
  return image;
}

async function read(image: Sharp, channels: 1 | 3, meta: Omit<Metadata, 'format'>): Promise<Omit<DecodedImage, 'format'>> {
  const depth = meta.depth === 'ushort' ? 16 : 8;
  const space = channels === 1 ? (depth === 16 ? 'grey16' : 'b-w') : depth === 16 ? 'rgb16' : 'srgb';
  const { data, info } = await image
    .autoOrient()
    .toColourspace(space)
    .raw({ depth: depth === 16 ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => {
      throw unreadable(error);
    });
  const stored = depth === 16 ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data;
  const pixels = info.width * info.height;
  const plane = (c: number, target: Float32Array): Float32Array => {
    const scale = 1 / (depth === 16 ? 65535 : 255);
    for (let i = 0; i < pixels; i++) target[i] = stored[i * info.channels + c]! * scale;
    return target;
  };
  const planes = new Float32Array(channels * pixels);
  for (let c = 0; c < channels; c++) plane(Math.min(c, info.channels - 1), planes.subarray(c * pixels, (c + 1) * pixels));
  const hasAlpha = meta.hasAlpha && info.channels > channels;
  const alpha = hasAlpha ? plane(info.channels - 1, new Float32Array(pixels)) : undefined;
  return { channels, width: info.width, height: info.height, data: planes, depth, alpha };
}

/** Writes planes in a format; JPEG has neither alpha nor 16 bits, WebP and AVIF no 16 bits. Values are clipped to [0,1]. */
export async function encodeImage(image: DecodedImage, format: ImageFormat): Promise<Uint8Array> {
  const { width, height, channels, data } = image;
  const depth = image.depth === 16 && (format === 'png' || format === 'tiff') ? 16 : 8;
  const alpha = format === 'jpeg' ? undefined : image.alpha;
  const count = channels + (alpha ? 1 : 0);
  const pixels = width * height;
  const most = depth === 16 ? 65535 : 255;
  const raw = depth === 16 ? new Uint16Array(pixels * count) : new Uint8Array(pixels * count);
  for (let c = 0; c < count; c++) {
    const plane = c < channels ? data.subarray(c * pixels, (c + 1) * pixels) : alpha!;
    for (let i = 0; i < pixels; i++) raw[i * count + c] = Math.round(Math.min(1, Math.max(0, plane[i]!)) * most);
  }
  const space = channels === 1 ? (depth === 16 ? 'grey16' : 'b-w') : depth === 16 ? 'rgb16' : 'srgb';
  const output = sharp(raw, { raw: { width, height, channels: count as 1 | 2 | 3 | 4 }, limitInputPixels: false }).toColourspace(space);
  return write(output, format).toBuffer();
}

function write(image: Sharp, format: ImageFormat): Sharp {
  switch (format) {
    case 'png':
      return image.png({ compressionLevel: 4 });
    case 'jpeg':
      return image.jpeg({ quality: 95, chromaSubsampling: '4:4:4' });
    case 'webp':
      return image.webp({ quality: 95 });
    case 'avif':
      return image.avif({ quality: 80, effort: 2, chromaSubsampling: '4:4:4' });
    case 'tiff':
      return image.tiff({ compression: 'lzw' });
  }
}

export const isFormat = (format: string | undefined): format is ImageFormat => formats.includes(format as ImageFormat);

function unreadable(error: unknown): Problem {
  const why = error instanceof Error ? error.message.split('\n')[0]! : String(error);
  return new Problem('bad-image', `The image cannot be decoded (${why}); send a whole ${formats.join(', ')} file.`);
}
