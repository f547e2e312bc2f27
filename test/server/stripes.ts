/** Drawings of two classes that the small model of few-shot learning tells apart. */
import sharp from 'sharp';

const SIDE = 16;

/** A PNG of two black stripes three pixels wide on white, across or down. */
export const stripes = (isAcross: boolean): Promise<Buffer> => {
  const isInk = (i: number): boolean => [4, 12].some((at) => Math.abs(i - at + 0.5) < 1.5);
  const pixels = Uint8Array.from({ length: SIDE * SIDE }, (_, i) =>
    isInk(isAcross ? Math.floor(i / SIDE) : i % SIDE) ? 0 : 255,
  );
  return sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 1 } })
    .png()
    .toBuffer();
};
