/** Large photographs put together from small ones, to measure images of many megapixels with flat, blurred and sharp parts. */
import type { Planes } from '../../../src/codecs/images.ts';
import type { Random } from '../../../src/data/random.ts';
import { mirrored, planesOf, roundTo8Bits } from '../../../src/tasks/denoise/planes.ts';

/** How parts of a large photograph look: enlarged this many times. At 1 an image is copied as it is; 60 leaves a soft gradient. */
const parts = [
  { name: 'textured', share: 0.4, zoom: [1, 1] },
  { name: 'soft', share: 0.15, zoom: [1.5, 3] },
  { name: 'blurred', share: 0.2, zoom: [6, 14] },
  { name: 'flat', share: 0.25, zoom: [40, 80] },
] as const;
const ZOOM_OF_BLUR = 1.5;
/** Height and width of a part, pixels. */
const SIDES = [240, 620] as const;

/** The large photographs that reports measure, pixels: `mosaic` of Kodak24 with these seeds. */
export const largePhotographs = [
  { name: '3 megapixels', width: 2000, height: 1500, seed: 1 },
  { name: '6 megapixels', width: 3000, height: 2000, seed: 2 },
  { name: '12 megapixels', width: 4000, height: 3000, seed: 3 },
] as const;

interface Place {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * An image of width × height pixels in rows of parts, each an enlarged piece of one of the images (mirrored at its border
 * where it is too small), 8 bits.
 *
 * @param images all gray or all in colour
 */
export function mosaic(
  images: readonly Planes[],
  width: number,
  height: number,
  random: Random,
): Planes {
  const { channels } = images[0]!;
  const target: Planes = {
    channels,
    width,
    height,
    data: new Float32Array(channels * width * height),
  };
  const side = (): number => SIDES[0] + random.integer(SIDES[1] - SIDES[0] + 1);
  for (let top = 0; top < height;) {
    const down = Math.min(side(), height - top);
    for (let left = 0; left < width;) {
      const across = Math.min(side(), width - left);
      const image = images[random.integer(images.length)]!;
      fillPart(target, { left, top, width: across, height: down }, image, random);
      left += across;
    }
    top += down;
  }
  roundTo8Bits(target.data);
  return target;
}

function fillPart(target: Planes, place: Place, image: Planes, random: Random): void {
  let at = random.uniform();
  const { zoom } = parts.find(({ share }) => (at -= share) < 0) ?? parts[0];
  const scale = zoom[0] + (zoom[1] - zoom[0]) * random.uniform();
  const turned = random.uniform() < 0.5 ? -1 : 1;
  const columns = axis(image.width, place.width, scale, turned, random);
  const rows = axis(image.height, place.height, scale, 1, random);
  const sources = planesOf(image);
  planesOf(target).forEach((plane, c) => {
    const source = sources[c]!;
    // Along columns first: one line of the source's width for each row of the part.
    const line = new Float32Array(image.width);
    for (let y = 0; y < place.height; y++) {
      line.fill(0);
      for (const { at: from, weight } of rows[y]!)
        for (let x = 0; x < line.length; x++) line[x]! += weight * source[from * line.length + x]!;
      const to = (place.top + y) * target.width + place.left;
      for (let x = 0; x < place.width; x++) {
        let sum = 0;
        for (const { at: from, weight } of columns[x]!) sum += weight * line[from]!;
        plane[to + x] = sum;
      }
    }
  });
}

interface Tap {
  readonly at: number;
  readonly weight: number;
}

/** What each pixel along an axis is made of: one pixel of the source, or four of a cubic B-spline where it is enlarged. */
function axis(
  length: number,
  count: number,
  zoom: number,
  direction: number,
  random: Random,
): (readonly Tap[])[] {
  const start = Math.floor(random.uniform() * Math.max(1, length - count / zoom));
  return Array.from({ length: count }, (_, i) => {
    const place = start + (direction > 0 ? i : count - 1 - i) / zoom;
    const first = Math.floor(place);
    if (zoom < ZOOM_OF_BLUR) return [{ at: mirrored(first, length), weight: 1 }];
    return spline(place - first).map((weight, k) => ({
      at: mirrored(first - 1 + k, length),
      weight,
    }));
  });
}

/** Weights of the cubic B-spline at a fraction t between the second and the third of four pixels. */
const spline = (t: number): number[] => [
  (1 - t) ** 3 / 6,
  (3 * t ** 3 - 6 * t ** 2 + 4) / 6,
  (-3 * t ** 3 + 3 * t ** 2 + 3 * t + 1) / 6,
  t ** 3 / 6,
];
