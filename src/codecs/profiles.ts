/** Conversion by colour profiles, and images that pass their metadata on, by libvips. */
import sharp, { type Sharp } from 'sharp';
import { pngWith, type Kept } from './metadata.ts';
import { throughTable } from './pixels.ts';
import { profileChunk, withChunks } from './png.ts';

const unlimited = { limitInputPixels: false } as const;
/** Intermediate files live for a moment; compressing them would take longer than all else. */
const uncompressed = { compressionLevel: 0 } as const;

/** Gray values in [0,1], converted from a gray profile to sRGB: between the 256 levels that libvips converts they are interpolated. */
export async function grayInSrgb(data: Float32Array, icc: Buffer): Promise<Float32Array> {
  const levels = Uint8Array.from({ length: 256 }, (_, i) => i);
  const ramp = await sharp(levels, { raw: { width: levels.length, height: 1, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  const table = await sharp(withChunks(ramp, [profileChunk(icc)]))
    .toColourspace('b-w')
    .raw()
    .toBuffer();
  return throughTable(data, table);
}

/** The image as a PNG in memory of 8 bits, upright, in the profile Display P3, to which libvips converts images of 16 bits. */
export const inDisplayP3 = (image: Sharp): Promise<Buffer> =>
  image.toColourspace('srgb').withIccProfile('p3').png(uncompressed).toBuffer();

/** An image of these pixels of which libvips passes the metadata on. @param space libvips' name for its colour space */
export async function carrier(pixels: Sharp, kept: Kept, space: string): Promise<Sharp> {
  const png = await pixels.png(uncompressed).toBuffer();
  // A PNG's own chunks mean nothing in other formats.
  return sharp(pngWith(png, { ...kept, chunks: undefined }), unlimited)
    .keepMetadata()
    .toColourspace(space);
}
