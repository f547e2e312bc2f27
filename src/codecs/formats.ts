/** The image formats that are read and written: one row each, used by recognition, decoding, encoding, negotiation and folder reading. */
import type { Sharp } from 'sharp';

/** Settings for lossy encoders; a format without the setting ignores it. */
export interface EncodeOptions {
  /** Quality of lossy formats, 1 to 100; default: that of the format. */
  readonly quality?: number;
  /** Chroma at half resolution in both axes (4:2:0) or full resolution (4:4:4). */
  readonly chroma?: ChromaSubsampling;
  /** `strip` keeps colour and resolution alone; `keep`, the default, EXIF, XMP, IPTC and text as well. */
  readonly metadata?: 'keep' | 'strip';
  /** The colour behind transparent parts, RRGGBB, in formats without alpha; white by default. */
  readonly background?: string;
}

/** Chroma resolution in J:a:b notation. */
export type ChromaSubsampling = '4:2:0' | '4:4:4';

interface FormatRow {
  /** Endings of file names. */
  readonly endings: readonly string[];
  /** The bytes that its files have at an offset; where several kinds of files share those, `kinds.ts` tells them apart. */
  readonly signature?: readonly [offset: number, bytes: string];
  /** Its loader in libvips; no other one is allowed. */
  readonly loader: string;
  /** Whether it holds 16 bits a channel, one channel instead of three, and an alpha channel. */
  readonly deep: boolean;
  readonly gray: boolean;
  readonly alpha: boolean;
  /** The longest side it can hold, pixels. */
  readonly maxSide: number;
  readonly encode: (image: Sharp, options: EncodeOptions) => Sharp;
}

const rows = {
  png: {
    endings: ['png'],
    signature: [0, '\x89PNG\r\n\x1a\n'],
    loader: 'Png',
    deep: true,
    gray: true,
    alpha: true,
    maxSide: 2 ** 31 - 1,
    // A quarter smaller than without filters at the same time; level 6 would take twice as long for 2 %.
    encode: (image) => image.png({ compressionLevel: 4, adaptiveFiltering: true }),
  },
  jpeg: {
    endings: ['jpg', 'jpeg'],
    signature: [0, '\xff\xd8\xff'],
    loader: 'Jpeg',
    deep: false,
    gray: true,
    alpha: false,
    maxSide: 65_535,
    encode: (image, { quality = 95, chroma = '4:4:4' }) =>
      image.jpeg({ quality, chromaSubsampling: chroma }),
  },
  webp: {
    endings: ['webp'],
    signature: [8, 'WEBP'],
    loader: 'Webp',
    deep: false,
    gray: false,
    alpha: true,
    maxSide: 16_383,
    encode: (image, { quality = 95 }) => image.webp({ quality }),
  },
  avif: {
    endings: ['avif'],
    loader: 'Heif',
    deep: false,
    gray: false,
    alpha: true,
    maxSide: 16_384,
    encode: (image, { quality = 80, chroma = '4:4:4' }) =>
      image.avif({ quality, effort: 2, chromaSubsampling: chroma }),
  },
  tiff: {
    endings: ['tif', 'tiff'],
    loader: 'Tiff',
    deep: true,
    gray: true,
    alpha: true,
    maxSide: 2 ** 31 - 1,
    encode: (image) => image.tiff({ compression: 'lzw' }),
  },
} satisfies Record<string, FormatRow>;

/** The name of an image format, which is also its subtype in `image/…`. */
export type ImageFormat = keyof typeof rows;
/** The file endings, capabilities, longest side (pixels) and encoder of each format. */
export const imageFormats: Readonly<Record<ImageFormat, FormatRow>> = rows;
/** The names of all formats, in the order of the table. */
export const formats = Object.keys(rows) as ImageFormat[];

/** Narrows a string, such as a media subtype, to a format that can be read and written. */
export const isFormat = (format: string | undefined): format is ImageFormat =>
  format !== undefined && Object.hasOwn(rows, format);

/** Names of files that hold images. */
export const imageFile = new RegExp(
  `\\.(${Object.values(rows)
    .flatMap(({ endings }) => endings)
    .join('|')})$`,
  'i',
);
