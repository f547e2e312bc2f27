/** Colours described beside profiles: by code points (ITU-T H.273) in AVIF and PNG, by gamma and primaries in PNG. */
import { codePointsOf, type CodePoints } from './avif.ts';
import type { ImageFormat } from './formats.ts';
import { chunksOf, type Chunk } from './png.ts';

/** Unspecified, BT.709 (which sRGB shares) and BT.601, whose primaries are close to it. */
const usualPrimaries: ReadonlySet<number> = new Set([1, 2, 5, 6]);
/** Unspecified, sRGB, and BT.709 with its namesakes, which programs show as sRGB. */
const usualTransfers: ReadonlySet<number> = new Set([1, 2, 6, 13, 14, 15]);
const hdr: Readonly<Record<number, string>> = { 16: 'PQ', 18: 'HLG' };

/** Whether code points mean what pixels without any description mean. */
export const isUsual = ({ primaries, transfer }: CodePoints): boolean =>
  usualPrimaries.has(primaries) && usualTransfers.has(transfer);

/** What is known of a file before it is decoded. */
interface Description {
  readonly format: ImageFormat;
  readonly hasProfile: boolean;
  readonly bitsPerSample?: number | undefined;
  readonly channels: number;
}

/** Why an image cannot be answered in a format: its colours or its bits would be lost. A sentence, or undefined where it can. */
export function colourFault(
  bytes: Uint8Array,
  header: Description,
  format: ImageFormat,
): string | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { format: own, bitsPerSample: bits = 8 } = header;
  if (format !== 'png') {
    const described =
      own === 'png'
        ? pngColour(file, header)
        : own === 'avif'
          ? avifColour(file, header)
          : undefined;
    if (described)
      return `The image's colours are described by ${described}, which an answer in ${format} would lose; ask for format=png, which keeps it.`;
  }
  if (own === 'avif' && format === 'avif' && bits > 8)
    return `The image has ${bits} bits a channel, and AVIF is written with 8 alone; ask for format=png or format=tiff, which keep them.`;
  return undefined;
}

function avifColour(file: Buffer, { hasProfile }: Description): string | undefined {
  const points = hasProfile ? undefined : codePointsOf(file);
  return points && !isUsual(points) ? `code points (${nameOf(points)})` : undefined;
}

const nameOf = ({ primaries, transfer }: CodePoints): string =>
  hdr[transfer] ?? `primaries ${primaries}, transfer ${transfer}`;

/** A PNG's colour in the order in which its chunks count: code points, profile, sRGB, gamma and primaries. */
function pngColour(file: Buffer, { hasProfile, channels }: Description): string | undefined {
  const chunks = chunksOf(file);
  const points = codePointsOfPng(chunks);
  if (points && (hdr[points.transfer] || !(hasProfile || isUsual(points))))
    return `its cICP chunk (${nameOf(points)})`;
  if (points || hasProfile || chunks.some(({ type }) => type === 'sRGB')) return undefined;
  const gamma = numbersOf(chunks, 'gAMA', 1);
  if (gamma && differs(gamma, USUAL_GAMMA)) return `its gAMA chunk (${gamma[0]! / 1e5})`;
  const primaries = numbersOf(chunks, 'cHRM', USUAL_PRIMARIES.length);
  const isColour = channels >= 3;
  return isColour && primaries && differs(primaries, USUAL_PRIMARIES)
    ? 'its cHRM chunk'
    : undefined;
}

function codePointsOfPng(chunks: readonly Chunk[]): CodePoints | undefined {
  const data = chunks.find(({ type }) => type === 'cICP')?.data;
  return data?.length === 4 ? { primaries: data[0]!, transfer: data[1]! } : undefined;
}

/** Of 100,000: 1/2.2, and white, red, green and blue of sRGB, x and y each. */
const USUAL_GAMMA = [45_455];
const USUAL_PRIMARIES = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];
/** Programs round these numbers in many ways. */
const TOLERANCE = 1_000;

const differs = (numbers: readonly number[], usual: readonly number[]): boolean =>
  numbers.some((number, i) => Math.abs(number - usual[i]!) > TOLERANCE);

/** A chunk's numbers of 32 bits. Undefined where it is missing or damaged. */
function numbersOf(chunks: readonly Chunk[], name: string, count: number): number[] | undefined {
  const data = chunks.find(({ type }) => type === name)?.data;
  if (data?.length !== 4 * count) return undefined;
  const numbers = Array.from({ length: count }, (_, i) => data.readUInt32BE(4 * i));
  return numbers.some((number) => number === 0) ? undefined : numbers;
}
