/** Large images as overlapping tiles, each a sample with its own depth; their borders are blended so that no seam shows. */
import type { Planes } from '../../codecs/images.ts';
import type { Array32 } from '../../engine/types.ts';
import { at } from '../../util/at.ts';

/** Tile geometry, in pixels. */
export interface TileOptions {
  /** The side of a tile's own area, pixels; an image up to this size is one tile. In an image narrower than that the tiles are longer, up to the same area. */
  readonly size: number;
  /** What a tile sees beyond its own area, pixels. */
  readonly margin: number;
  /** Neighbours are blended this far to both sides of their border; the rest of the margin is only looked at. */
  readonly blend: number;
  /** What the sides of a sample must be multiples of. */
  readonly multiple: number;
}

/**
 * Measured with twelve layers at half resolution, at fixed depth: 0.4/255 at most from the untiled result at σ up to 75
 * (blended over the whole margin: 1.4/255), for 1.14 times the pixels. The size must be at least four times `blend`.
 */
export const defaultTiles: Omit<TileOptions, 'multiple'> = { size: 576, margin: 20, blend: 12 };

/** A tile's own area, and the window around it that the network sees. */
export interface Tile {
  readonly x: Span;
  readonly y: Span;
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** The tiles of an image, row by row; their own areas cover it without overlap. */
export function layTiles(width: number, height: number, options: TileOptions): Tile[] {
  // Otherwise an image of 40,000,000×1 has 70,000 tiles, whose cost is that of their number and not of their pixels.
  const longest = (across: number): number =>
    Math.max(options.size, Math.floor(options.size ** 2 / across));
  const columns = spans(width, { ...options, size: longest(height) });
  return spans(height, { ...options, size: longest(width) }).flatMap((y) =>
    columns.map((x) => ({ x, y })),
  );
}

/** Every window begins at a multiple, so that each tile sees the same grid as the whole image would. */
function spans(length: number, { size, margin, multiple }: TileOptions): Span[] {
  const step = Math.ceil(length / Math.ceil(length / size) / multiple) * multiple;
  const reach = Math.ceil(margin / multiple) * multiple;
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => {
    const start = i * step;
    const end = Math.min(start + step, length);
    return { start, end, from: Math.max(start - reach, 0), to: Math.min(end + reach, length) };
  });
}

/** The least side that a network is given, pixels: it takes the border of a smaller image for noise. */
const LEAST_SIDE = 16;
/** Rows up to this length are copied number by number, which is faster than as arrays. */
const SHORT_ROW = 64;

/**
 * What the network sees of the tiles: their windows, mirrored at the far sides up to a multiple and to the least side. They share
 * one buffer, which the allocator gives back whole.
 */
export function cutTiles(image: Planes, tiles: readonly Tile[], multiple: number): Array32[] {
  const { channels, width, height } = image;
  // A longer strip stays as narrow as it is, or 40,000,000×1 would take sixteen times the memory of its pixels.
  const least = LEAST_SIDE * Math.max(width, height) > defaultTiles.size ** 2 ? 1 : LEAST_SIDE;
  const up = ({ from, to }: Span): number =>
    Math.ceil(Math.max(to - from, least) / multiple) * multiple;
  const dims = tiles.map(({ x, y }) => [channels, up(y), up(x)] as const);
  const sizes = dims.map(([c, h, w]) => c * h * w);
  const all = new Float32Array(sizes.reduce((a, b) => a + b, 0));
  let start = 0;
  return tiles.map((tile, i) => {
    const data = all.subarray(start, (start += at(sizes, i)));
    cut(image, tile, at(dims, i), data);
    return { data, dims: at(dims, i) };
  });
}

function cut(
  { data, channels, width, height }: Planes,
  { x, y }: Tile,
  [, h, w]: readonly [number, number, number],
  result: Float32Array,
): void {
  for (let c = 0, o = 0; c < channels; c++) {
    for (let i = 0; i < h; i++) {
      const row = (c * height + mirror(y.from + i, height)) * width;
      const inside = Math.min(w, width - x.from);
      if (inside > SHORT_ROW) result.set(data.subarray(row + x.from, row + x.from + inside), o);
      else for (let j = 0; j < inside; j++) result[o + j] = data[row + x.from + j]!;
      for (let j = inside; j < w; j++) result[o + j] = data[row + mirror(x.from + j, width)]!;
      o += w;
    }
  }
}

/** A place beyond the far side, mirrored there and at the near side until it is inside. */
function mirror(i: number, length: number): number {
  if (i < length) return i;
  if (length === 1) return 0;
  const at = i % (2 * length - 2);
  return at < length ? at : 2 * length - 2 - at;
}

/** An image [C,H,W] that is put together from its tiles as they come: each pixel is the weighted mean of those that cover it. */
export class Mosaic {
  private whole: Float32Array | undefined;

  constructor(
    private readonly size: Omit<Planes, 'data'>,
    private readonly tiles: readonly Tile[],
    private readonly blend: number,
  ) {}

  /** Adds a tile, once. @param index its place among the tiles */
  add(index: number, { data, dims }: Array32): void {
    const { channels, width, height } = this.size;
    if (this.tiles.length === 1 && data.length === channels * width * height) {
      this.whole = data;
      return;
    }
    const result = (this.whole ??= new Float32Array(channels * width * height));
    const { x, y } = at(this.tiles, index);
    const [, h, w] = dims as [number, number, number];
    const across = ramp(x, width, this.blend);
    const down = ramp(y, height, this.blend);
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < down.length; i++) {
        const target = (c * height + y.from + i) * width + x.from;
        const source = (c * h + i) * w;
        const weight = down[i]!;
        for (let j = 0; j < across.length; j++)
          result[target + j]! += weight * across[j]! * data[source + j]!;
      }
    }
  }

  /** The image, once every tile was added. */
  toPlanes(): Planes {
    return { ...this.size, data: this.whole ?? new Float32Array(0) };
  }
}

/** Weights along one side of a window: one inside, falling smoothly to zero across an inner border; neighbours' add up to one. */
function ramp({ start, end, from, to }: Span, length: number, blend: number): Float32Array {
  const rise = (distance: number): number => {
    const share = Math.min(1, Math.max(0, (distance + blend + 0.5) / (2 * blend)));
    return share * share * (3 - 2 * share);
  };
  return Float32Array.from({ length: to - from }, (_, i) => {
    const left = start === 0 ? 1 : rise(from + i - start);
    const right = end === length ? 1 : 1 - rise(from + i - end);
    return left * right;
  });
}
