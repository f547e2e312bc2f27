/** Values of gray profiles in sRGB. libvips converts them by a coarse table, which is off by 9 levels where they are dark. */
import { throughTable } from './pixels.ts';

/** Enough for 8 bits of sRGB from 16 of light. */
const STEPS = 4096;
const MAX_TAGS = 200;

/** Gray values in [0,1] with an ICC profile, as gray values in sRGB; as they are where the profile has no curve that is known. */
export function grayInSrgb(data: Float32Array, icc: Buffer): Float32Array {
  const curve = curveOf(icc);
  if (!curve) return data;
  const isLab = icc.toString('latin1', 20, 24) === 'Lab ';
  const table = Float32Array.from({ length: STEPS }, (_, i) => {
    const value = curve(i / (STEPS - 1));
    const coded = encoded(isLab ? luminanceOf(100 * value) : value);
    return Number.isFinite(coded) ? Math.min(1, Math.max(0, coded)) : 0;
  });
  return throughTable(data, table);
}

/** Light to sRGB (IEC 61966-2-1). */
const encoded = (light: number): number =>
  light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;

/** CIE L* to Y. */
const luminanceOf = (lightness: number): number =>
  lightness <= 8 ? lightness / 903.3 : ((lightness + 16) / 116) ** 3;

type Curve = (value: number) => number;

/** The curve of the tag `kTRC` (ICC.1:2022, 8.4.3). */
function curveOf(icc: Buffer): Curve | undefined {
  if (icc.length < 132) return undefined;
  const count = Math.min(icc.readUInt32BE(128), MAX_TAGS);
  for (let at = 132; at + 12 <= Math.min(icc.length, 132 + 12 * count); at += 12) {
    if (icc.toString('latin1', at, at + 4) !== 'kTRC') continue;
    const tag = icc.subarray(icc.readUInt32BE(at + 4));
    if (tag.length < 12) return undefined;
    const type = tag.toString('latin1', 0, 4);
    return type === 'curv' ? sampled(tag) : type === 'para' ? parametric(tag) : undefined;
  }
  return undefined;
}

/** `curv`: nothing, a power in 1/256, or a table of 16-bit numbers. */
function sampled(tag: Buffer): Curve | undefined {
  const count = tag.readUInt32BE(8);
  if (count === 0) return (value) => value;
  if (12 + 2 * count > tag.length) return undefined;
  if (count === 1) return (value) => value ** (tag.readUInt16BE(12) / 256);
  return (value) => {
    const at = value * (count - 1);
    const below = Math.min(Math.floor(at), count - 2);
    const [a, b] = [tag.readUInt16BE(12 + 2 * below), tag.readUInt16BE(14 + 2 * below)];
    return (a + (at - below) * (b - a)) / 65_535;
  };
}

/** How many numbers each function of `para` has. */
const parameters = [1, 3, 4, 5, 7] as const;

/** `para`: (aX + b)^g + e from d on, cX + f below. */
function parametric(tag: Buffer): Curve | undefined {
  const kind = tag.readUInt16BE(8);
  const count = parameters[kind];
  if (count === undefined || 12 + 4 * count > tag.length) return undefined;
  const numbers = Array.from({ length: count }, (_, i) => tag.readInt32BE(12 + 4 * i) / 65_536);
  const [g, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = numbers as [number, ...number[]];
  // The first three functions break where the base is 0; the third adds its c everywhere.
  if (kind < 3) {
    const added = kind === 2 ? c : 0;
    return (value) => Math.max(0, a * value + b) ** g + added;
  }
  return (value) => (value >= d ? (a * value + b) ** g + e : c * value + f);
}
