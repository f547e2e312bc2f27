/** From a colour-filter mosaic to three planes, by linear interpolation. */

/** The channels of the 2×2 mosaic's sites, row by row: R G / G B at phase 0, which is shifted right by 1 and down by 2. */
export function sitesOf(phase: number): readonly (0 | 1 | 2)[] {
  const sites = [0, 1, 1, 2] as const;
  return [0, 1, 2, 3].map((site) => sites[site ^ phase]!);
}

/** Rows and columns of mirrored values around a mosaic. */
export const PAD = 2;

type Kernel = readonly (readonly [dx: number, dy: number, weight: number])[];

/** The taps at (±a, ±b), each with the same weight. */
const ring = (a: number, b: number, weight: number): Kernel =>
  [-1, 1].flatMap((s) => [-1, 1].map((t) => [s * a, t * b, weight] as const));
const row = (a: number, weight: number): Kernel => [
  [-a, 0, weight],
  [a, 0, weight],
];
const column = (a: number, weight: number): Kernel => [
  [0, -a, weight],
  [0, a, weight],
];
const cross = (a: number, weight: number): Kernel => [...row(a, weight), ...column(a, weight)];
const centre = (weight: number): Kernel => [[0, 0, weight]];

/**
 * How a missing channel is interpolated: green at red or blue sites; red or blue at a green site that has it left and right,
 * or above and below; red at blue sites and blue at red ones.
 */
interface Demosaic {
  readonly green: Kernel;
  readonly beside: Kernel;
  readonly above: Kernel;
  readonly opposite: Kernel;
}

/** `malvar`: gradient-corrected (Malvar, He & Cutler 2004). */
const demosaicKernels = {
  bilinear: {
    green: cross(1, 1 / 4),
    beside: row(1, 1 / 2),
    above: column(1, 1 / 2),
    opposite: ring(1, 1, 1 / 4),
  },
  malvar: {
    green: [...centre(1 / 2), ...cross(1, 1 / 4), ...cross(2, -1 / 8)],
    beside: [
      ...centre(5 / 8),
      ...row(1, 1 / 2),
      ...ring(1, 1, -1 / 8),
      ...row(2, -1 / 8),
      ...column(2, 1 / 16),
    ],
    above: [
      ...centre(5 / 8),
      ...column(1, 1 / 2),
      ...ring(1, 1, -1 / 8),
      ...column(2, -1 / 8),
      ...row(2, 1 / 16),
    ],
    opposite: [...centre(3 / 4), ...ring(1, 1, 1 / 4), ...cross(2, -3 / 16)],
  },
} satisfies Record<string, Demosaic>;

const AS_IT_IS = centre(1);

/** Name of an interpolation: `bilinear`, or the gradient-corrected `malvar`. */
export type DemosaicMethod = keyof typeof demosaicKernels;

/** The kernel that gives channel c at a site, where `beside` is the channel of the sites left and right of it. */
function kernelAt(
  { green, beside, above, opposite }: Demosaic,
  c: number,
  site: number,
  next: number,
) {
  if (c === site) return AS_IT_IS;
  if (c === 1) return green;
  if (site !== 1) return opposite;
  return c === next ? beside : above;
}

/** Three planes [H,W] of a mosaic [H+2·PAD,W+2·PAD]. @param phase see `sitesOf` */
export function demosaic(
  mosaic: Float32Array,
  width: number,
  method: DemosaicMethod,
  phase: number,
): Float32Array[] {
  const sites = sitesOf(phase);
  const height = mosaic.length / (width + 2 * PAD) - 2 * PAD;
  return [0, 1, 2].map((c) => {
    const plane = new Float32Array(width * height);
    sites.forEach((site, at) => {
      const kernel = kernelAt(demosaicKernels[method], c, site, sites[at ^ 1]!);
      interpolate(plane, mosaic, width, at, kernel);
    });
    return plane;
  });
}

/** Applies a kernel at every second pixel of every second row, from site `at` (0 to 3) of the first 2×2 pixels on. */
function interpolate(
  plane: Float32Array,
  mosaic: Float32Array,
  width: number,
  at: number,
  kernel: Kernel,
): void {
  const across = width + 2 * PAD;
  const taps = kernel.length;
  const offsets = new Int32Array(taps);
  const weights = new Float64Array(taps);
  for (let k = 0; k < taps; k++) {
    const [dx, dy, weight] = kernel[k]!;
    offsets[k] = (dy + PAD) * across + dx + PAD;
    weights[k] = weight;
  }
  const height = plane.length / width;
  for (let y = at >> 1; y < height; y += 2) {
    for (let x = at & 1; x < width; x += 2) {
      const from = y * across + x;
      let sum = 0;
      for (let k = 0; k < taps; k++) sum += weights[k]! * mosaic[from + offsets[k]!]!;
      plane[y * width + x] = sum;
    }
  }
}
