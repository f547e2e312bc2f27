/** A small antialiased rasteriser: shapes are signed distances, painted where they are negative. */
import type { Planes } from '../../codecs/images.ts';
import { roundTo8Bits } from './planes.ts';

/** Red, green and blue in [0,1]. */
export type Colour = readonly [number, number, number];
/** Canvas coordinates in pixels: x to the right, y down. */
export type Point = readonly [x: number, y: number];

/** A shape on a canvas whose pixel (x, y) has its centre at (x + ½, y + ½). */
export interface Shape {
  /** What may be painted, pixels. */
  readonly box: readonly [left: number, top: number, right: number, bottom: number];
  /** Distance to the outline, pixels; negative inside. */
  readonly distance: (x: number, y: number) => number;
}

/** How far red lies left and blue right of green in subpixel text. */
const SUBPIXEL = 1 / 3;

/** An RGB raster [3,H,W] with values in [0,1], on which shapes are painted with antialiasing. */
export class Canvas {
  readonly data: Float32Array;

  constructor(
    readonly width: number,
    readonly height: number,
    ground: Colour,
  ) {
    this.data = new Float32Array(3 * width * height);
    ground.forEach((value, c) =>
      this.data.fill(value, c * width * height, (c + 1) * width * height),
    );
  }

  /** Paints a shape in one colour. @param subpixels antialias each channel by itself, as on a striped display */
  paint({ box, distance }: Shape, colour: Colour, subpixels = false): void {
    const { width, height, data } = this;
    const [left, right] = [Math.max(0, Math.floor(box[0])), Math.min(width, Math.ceil(box[2]))];
    const [top, bottom] = [Math.max(0, Math.floor(box[1])), Math.min(height, Math.ceil(box[3]))];
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const cover = coverage(distance(x + 0.5, y + 0.5));
        for (let c = 0; c < 3; c++) {
          const own =
            subpixels && c !== 1
              ? coverage(distance(x + 0.5 + (c - 1) * SUBPIXEL, y + 0.5))
              : cover;
          const at = (c * height + y) * width + x;
          if (own > 0) data[at]! += own * (colour[c]! - data[at]!);
        }
      }
    }
  }

  /** Sets every pixel of a rectangle. */
  shade(
    [left, top, right, bottom]: Shape['box'],
    colourAt: (x: number, y: number) => Colour,
  ): void {
    const { width, height, data } = this;
    for (let y = Math.max(0, top); y < Math.min(height, bottom); y++) {
      for (let x = Math.max(0, left); x < Math.min(width, right); x++) {
        const colour = colourAt(x, y);
        for (let c = 0; c < 3; c++) data[(c * height + y) * width + x] = colour[c]!;
      }
    }
  }

  /** The picture, 8 bits. */
  toPlanes(): Planes {
    const { width, height, data } = this;
    return { channels: 3, width, height, data: roundTo8Bits(data) };
  }
}

const coverage = (distance: number): number => Math.min(1, Math.max(0, 0.5 - distance));

/** A rectangle with round corners; on whole pixels its edges are sharp. */
export function box(left: number, top: number, width: number, height: number, radius = 0): Shape {
  const [x0, y0] = [left + width / 2, top + height / 2];
  return {
    box: [left - 1, top - 1, left + width + 1, top + height + 1],
    distance: (x, y) => {
      const across = Math.abs(x - x0) - width / 2 + radius;
      const down = Math.abs(y - y0) - height / 2 + radius;
      const outside = Math.hypot(Math.max(across, 0), Math.max(down, 0));
      return outside + Math.min(Math.max(across, down), 0) - radius;
    },
  };
}

/** A filled circle; centre and radius in pixels. */
export const disc = (x0: number, y0: number, radius: number): Shape => ({
  box: [x0 - radius - 1, y0 - radius - 1, x0 + radius + 1, y0 + radius + 1],
  distance: (x, y) => Math.hypot(x - x0, y - y0) - radius,
});

/** Lines through points, `width` pixels thick, with round ends. */
export function stroke(points: readonly Point[], width: number): Shape {
  const nearest = distanceToLine(points);
  return {
    box: boundsOf(points, width / 2 + 1),
    distance: (x, y) => nearest(x, y) - width / 2,
  };
}

/** The inside of a closed line, by the even–odd rule. */
export function polygon(points: readonly Point[]): Shape {
  const nearest = distanceToLine([...points, points[0]!]);
  const inside = (x: number, y: number): boolean => {
    let crossings = 0;
    points.forEach((b, i) => {
      const a = points.at(i - 1)!;
      const crosses = a[1] > y !== b[1] > y;
      if (crosses && x < a[0] + ((y - a[1]) / (b[1] - a[1])) * (b[0] - a[0])) crossings++;
    });
    return crossings % 2 === 1;
  };
  return {
    box: boundsOf(points, 1),
    distance: (x, y) => (inside(x, y) ? -1 : 1) * nearest(x, y),
  };
}

function boundsOf(points: readonly Point[], margin: number): Shape['box'] {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return [
    Math.min(...xs) - margin,
    Math.min(...ys) - margin,
    Math.max(...xs) + margin,
    Math.max(...ys) + margin,
  ];
}

/** Distance to the nearest of the segments between neighbouring points, or to the point where there is one. */
function distanceToLine(points: readonly Point[]): Shape['distance'] {
  const line = Float64Array.from(points.length > 1 ? points.flat() : [...points, ...points].flat());
  return (x, y) => {
    let nearest = Number.POSITIVE_INFINITY;
    for (let i = 0; i + 3 < line.length; i += 2) {
      const dx = line[i + 2]! - line[i]!;
      const dy = line[i + 3]! - line[i + 1]!;
      const right = x - line[i]!;
      const down = y - line[i + 1]!;
      const along = (right * dx + down * dy) / Math.max(dx * dx + dy * dy, 1e-9);
      const t = Math.min(1, Math.max(0, along));
      nearest = Math.min(nearest, (right - t * dx) ** 2 + (down - t * dy) ** 2);
    }
    return Math.sqrt(nearest);
  };
}
