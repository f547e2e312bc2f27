/** What a TIFF's first directory says of it: camera raw files are TIFFs whose first picture is a thumbnail. */
import { numbersOf } from './ifd.ts';

const NEW_SUBFILE_TYPE = 254;
const SUB_IFDS = 330;
const DNG_VERSION = 50_706;

/** Why a TIFF is refused before it is parsed: it is a camera's raw file. */
export function tiffFault(file: Buffer): string | undefined {
  // Canon's CR2 says so beside the header.
  if (file.toString('latin1', 8, 10) === 'CR') return raw;
  const values = firstDirectory(file);
  const isReduced = ((values.get(NEW_SUBFILE_TYPE) ?? 0) & 1) === 1;
  return values.has(DNG_VERSION) || (isReduced && values.has(SUB_IFDS)) ? raw : undefined;
}

const raw = 'Camera raw (such as DNG) is not taken, nor the thumbnail in it';

/** Tags of the first directory, each with the first four bytes of its value or place; empty where it lies outside the file. */
function firstDirectory(file: Buffer): ReadonlyMap<number, number> {
  const { isBig: big, u16, u32, u64 } = numbersOf(file);
  const tags = new Map<number, number>();
  const [entry, value] = big ? [20, 12] : [12, 8];
  if (file.length < 16) return tags;
  let at = big ? u64(8) : u32(4);
  if (at + 8 > file.length) return tags;
  const count = Math.min(big ? u64(at) : u16(at), 65_535);
  at += big ? 8 : 2;
  for (let i = 0; i < count && at + entry <= file.length; i++, at += entry)
    tags.set(u16(at), u32(at + value));
  return tags;
}
