/** JPEGs that lack their end marker: some programs leave it out, and all pixels are there nonetheless. */
import sharp from 'sharp';
import { unreadable } from './unreadable.ts';

const START_OF_SCAN = 0xda;
const END = [0xff, 0xd9];

/** Padding that differs from the zeros with which decoders replace missing bytes. */
const OTHER_BITS = Array.from({ length: 32 }, (_, i) => 0x80 | ((i * 37) % 127));

/** A file with the end marker that it lacked. */
interface Ended {
  readonly file: Uint8Array;
  /** The same with other bits before the marker: it decodes to the same pixels where none were missing. */
  readonly other: Uint8Array;
}

/**
 * The file with its end marker, where it lacks one and a single scan holds all components, so that missing pixels can be
 * told from a missing marker. Undefined for any other file.
 */
function withEnd(bytes: Uint8Array): Ended | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scan = startOfScan(file);
  if (scan === undefined || file.includes(Buffer.from(END), scan)) return undefined;
  const stuffing = file.at(-1) === 0xff ? [0] : [];
  return {
    file: Buffer.concat([file, Buffer.from(END)]),
    other: Buffer.concat([file, Buffer.from([...stuffing, ...OTHER_BITS, ...END])]),
  };
}

/** Where the scan of all components begins. In a progressive file, whose scans each refine the picture, there is none. */
function startOfScan(file: Buffer): number | undefined {
  if (file[0] !== 0xff || file[1] !== 0xd8) return undefined;
  let components = 0;
  for (
    let at = 2;
    at + 10 <= file.length && file[at] === 0xff;
    at += 2 + file.readUInt16BE(at + 2)
  ) {
    const marker = file[at + 1]!;
    if (marker === 0xc0 || marker === 0xc1) components = file[at + 9]!;
    if (marker === START_OF_SCAN)
      return components > 0 && file[at + 4] === components ? at : undefined;
  }
  return undefined;
}

/** The last rows in which the decoder does not report that pixels are missing. */
const LAST_ROWS = 64;

/**
 * A JPEG without its end marker gets one, where no pixels are missing: the decoder warns of missing ones above the last
 * rows, and those come out the same whatever bits follow. Other files stay as they are.
 * @throws Problem `bad-image`
 */
export async function completed(
  bytes: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<Uint8Array> {
  const ended = withEnd(bytes);
  if (!ended) return bytes;
  const rows = Math.min(height, LAST_ROWS);
  const bottom = (file: Uint8Array, failOn: 'warning' | 'error'): Promise<Buffer> =>
    sharp(file, { limitInputPixels: false, failOn })
      .extract({ left: 0, top: height - rows, width, height: rows })
      .raw()
      .toBuffer();
  const [last, other] = await Promise.all([
    bottom(ended.file, 'warning'),
    bottom(ended.other, 'error'),
  ]).catch((error: unknown) => {
    throw unreadable(error);
  });
  if (!last.equals(other)) throw unreadable();
  return ended.file;
}
