/** The noise of a camera: photons and read-out on a colour-filter mosaic, demosaiced, white-balanced and gamma-corrected. */
import type { Planes } from '../../codecs/images.ts';
import { fillFromTable } from '../../data/normal-table.ts';
import type { Random } from '../../data/random.ts';
import { demosaic, PAD, sitesOf, type DemosaicMethod } from './demosaic.ts';
import { convolve, gaussianKernel, mirrored, planesOf, toByte, toGray } from './planes.ts';

/** Parameters of the simulated lens, sensor and in-camera processing. */
export interface CameraSettings {
  /** Electrons of a white pixel: its photon noise is one over the root of it. */
  readonly electrons: number;
  /** Standard deviation of the read-out noise, electrons. */
  readonly readNoise: number;
  /** Gains of red and blue over green by white balance. */
  readonly gains: readonly [red: number, blue: number];
  /** How far the colour matrix takes the sensor's colours apart, 0 to 1; it couples the noise of the channels. */
  readonly matrix: number;
  readonly demosaic: DemosaicMethod;
  /** Which corner of the 2×2 mosaic the image begins at, 0 to 3. */
  readonly phase: number;
  /** Standard deviation of the lens's blur, pixels; 0 for none. It is part of the clean image. */
  readonly lensBlur: number;
  /** Standard deviation of the smoothing that the camera's own noise reduction does, pixels; 0 for none. */
  readonly smoothing: number;
  /**
   * Standard deviation of the stronger smoothing of chroma alone, pixels; 0 for none. Chroma noise of what cameras write is
   * blotchy: in JPEGs of five models its correlation at 4 pixels is 0.25 to 0.5, that of luminance noise 0.02.
   */
  readonly chromaSmoothing: number;
  /** What that leaves of the chroma noise's standard deviation, a share. */
  readonly chromaLeft: number;
}

/** Settings from base to high sensitivity. */
export function drawCamera(random: Random): CameraSettings {
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  return {
    electrons: 100 * 50 ** random.uniform(),
    readNoise: between(0.5, 3),
    gains: [between(1.4, 2.4), between(1.3, 2.2)],
    matrix: random.uniform(),
    demosaic: random.uniform() < 0.4 ? 'bilinear' : 'malvar',
    phase: random.integer(4),
    lensBlur: random.uniform() < 0.3 ? between(0.4, 0.9) : 0,
    smoothing: random.uniform() < 0.7 ? between(0.4, 0.9) : 0,
    chromaSmoothing: random.uniform() < 0.75 ? between(1, 3.5) : 0,
    chromaLeft: between(0.3, 1),
  };
}

type Row = [number, number, number];

/** A typical matrix from a sensor's colours to linear sRGB; rows add up to one. */
const COLOUR_MATRIX = [
  [1.7, -0.6, -0.1],
  [-0.2, 1.5, -0.3],
  [0, -0.5, 1.5],
] as const;

/**
 * An 8-bit image as this camera would have taken it, with and without noise. Demosaicing and colour correction are linear,
 * so they are applied to the noise alone: the clean image keeps its detail and has no demosaicing artefacts. Variance of the
 * raw values: x / electrons + (readNoise / electrons)² (Foi et al. 2008).
 */
export function takePhoto(
  image: Planes,
  settings: CameraSettings,
  random: Random,
): { clean: Planes; noisy: Planes } {
  const { width, height } = image;
  const light = toLight(image.data);
  const layers = planesOf({ ...image, data: light });
  blur(layers, width, height, settings.lensBlur);
  const [red, green = red, blue = red] = layers as [Float32Array, Float32Array?, Float32Array?];
  const mosaic = rawNoise([red, green, blue], width, height, settings, random);
  const noise = demosaic(mosaic, width, settings.demosaic, settings.phase);
  mixColours(noise, settings.matrix);
  blur(noise, width, height, settings.smoothing);
  smoothChroma(noise, width, height, settings);
  const data = new Float32Array(3 * width * height);
  [red, green, blue].forEach((plane, c) => addTo(data, c * plane.length, plane, noise[c]!));
  const noisy: Planes = { channels: 3, width, height, data: toSrgb(data) };
  return {
    clean: settings.lensBlur > 0 ? { ...image, data: toSrgb(light) } : image,
    noisy: image.channels === 1 ? toGray(noisy) : noisy,
  };
}

function blur(
  planes: readonly Float32Array[],
  width: number,
  height: number,
  radius: number,
): void {
  if (radius === 0) return;
  const kernel = gaussianKernel(radius);
  for (const plane of planes) convolve(plane, width, height, kernel);
}

/** Weights of red, green and blue in luminance (ITU-R BT.601). */
const LUMA = [0.299, 0.587, 0.114] as const;

/** Smooths the differences of red and blue from luminance, and scales them to a share of their standard deviation before. */
function smoothChroma(
  [red, green, blue]: readonly Float32Array[],
  width: number,
  height: number,
  { chromaSmoothing, chromaLeft }: CameraSettings,
): void {
  if (chromaSmoothing === 0) return;
  const luma = red!.map((r, i) => LUMA[0] * r + LUMA[1] * green![i]! + LUMA[2] * blue![i]!);
  const [cr, cb] = [red!, blue!].map((plane) => {
    const chroma = plane.map((value, i) => value - luma[i]!);
    const before = power(chroma);
    blur([chroma], width, height, chromaSmoothing);
    const scale = chromaLeft * Math.sqrt(before / Math.max(power(chroma), Number.MIN_VALUE));
    return chroma.map((value) => scale * value);
  }) as [Float32Array, Float32Array];
  for (let i = 0; i < luma.length; i++) {
    red![i] = luma[i]! + cr[i]!;
    green![i] = luma[i]! - (LUMA[0] * cr[i]! + LUMA[2] * cb[i]!) / LUMA[1];
    blue![i] = luma[i]! + cb[i]!;
  }
}

const power = (plane: Float32Array): number =>
  plane.reduce((sum, value) => sum + value ** 2, 0) / plane.length;

function addTo(target: Float32Array, from: number, a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) target[from + i] = a[i]! + b[i]!;
}

/** What noise adds to the white-balanced raw values, [H+2·PAD,W+2·PAD]. */
function rawNoise(
  light: readonly [Float32Array, Float32Array, Float32Array],
  width: number,
  height: number,
  { electrons, readNoise, gains, phase }: CameraSettings,
  random: Random,
): Float32Array {
  const gainOf = [gains[0], 1, gains[1]] as const;
  const sites = sitesOf(phase);
  const constant = (readNoise / electrons) ** 2;
  const normal = new Float32Array(width * height);
  fillFromTable(normal, 1, random);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const c = sites[2 * (y & 1) + (x & 1)]!;
      const raw = light[c][i]! / gainOf[c];
      const seen = raw + normal[i]! * Math.sqrt(raw / electrons + constant);
      normal[i] = gainOf[c] * (Math.min(1, seen) - raw);
    }
  }
  const across = width + 2 * PAD;
  const padded = new Float32Array(across * (height + 2 * PAD));
  const columns = Int32Array.from({ length: across }, (_, x) => mirrored(x - PAD, width));
  for (let y = 0, to = 0; y < height + 2 * PAD; y++) {
    const row = mirrored(y - PAD, height) * width;
    for (let x = 0; x < across; x++) padded[to++] = normal[row + columns[x]!]!;
  }
  return padded;
}

/** Applies (1 − strength) · identity + strength · COLOUR_MATRIX to each pixel. */
function mixColours(planes: readonly Float32Array[], strength: number): void {
  const [r, g, b] = planes as [Float32Array, Float32Array, Float32Array];
  const [[rr, rg, rb], [gr, gg, gb], [br, bg, bb]] = COLOUR_MATRIX.map((weights, to) =>
    weights.map((weight, from) => strength * weight + (from === to ? 1 - strength : 0)),
  ) as [Row, Row, Row];
  for (let i = 0; i < r.length; i++) {
    const red = r[i]!;
    const green = g[i]!;
    const blue = b[i]!;
    r[i] = rr * red + rg * green + rb * blue;
    g[i] = gr * red + gg * green + gb * blue;
    b[i] = br * red + bg * green + bb * blue;
  }
}

/** sRGB (IEC 61966-2-1): light of each 8-bit value, and the value of light in STEPS steps. */
const linearOf = Float32Array.from({ length: 256 }, (_, i) =>
  i <= 10 ? i / 255 / 12.92 : ((i / 255 + 0.055) / 1.055) ** 2.4,
);
const STEPS = 2 ** 15;
const valueOf = Float32Array.from({ length: STEPS + 1 }, (_, i) => {
  const light = i / STEPS;
  const value = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
  return toByte(value) * (1 / 255);
});

function toSrgb(light: Float32Array): Float32Array {
  const values = new Float32Array(light.length);
  for (let i = 0; i < light.length; i++)
    values[i] = valueOf[Math.floor(STEPS * Math.min(1, Math.max(0, light[i]!)) + 0.5)]!;
  return values;
}

function toLight(values: Float32Array): Float32Array {
  const light = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) light[i] = linearOf[toByte(values[i]!)]!;
  return light;
}
