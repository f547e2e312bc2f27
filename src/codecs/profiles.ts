/** Intermediate files in memory: libvips converts by their profile, or passes their metadata on. */
import sharp, { type Sharp } from 'sharp';
import { pngWith, type Kept } from './metadata.ts';

const unlimited = { limitInputPixels: false } as const;
/** Intermediate files live for a moment; compressing them would take longer than all else. */
const uncompressed = { compressionLevel: 0 } as const;

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
