/** Rectangles cut out of images. */
import type { Planes } from './images.ts';

/** A rectangle of an image, pixels: [C,height,width]. */
export function crop(
  image: Planes,
  left: number,
  top: number,
  width: number,
  height: number,
): Planes {
  const { channels, data } = image;
  if (width === image.width && height === image.height) return image;
  const result = new Float32Array(channels * width * height);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * image.height + top + y) * image.width + left;
      result.set(data.subarray(from, from + width), (c * height + y) * width);
    }
  }
  return { channels, width, height, data: result };
}
