/** The quality that a JPEG was saved with, from its quantisation table. */

const DEFINE_TABLES = 0xdb;
const START_OF_SCAN = 0xda;
/** Sum of the luminance table that quality 50 stands for (ITU-T T.81, Annex K.1). */
const USUAL_SUM = 3688;
const ENTRIES = 64;

/**
 * Quality 1 to 100 as libjpeg counts it: below 50 it divides the usual table's entries by quality/50, above it multiplies
 * them by (100 − quality)/50. Undefined where the file has no luminance table of 8 bits.
 */
export function jpegQuality(bytes: Uint8Array): number | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (
    let at = 2;
    at + 4 <= file.length && file[at] === 0xff && file[at + 1] !== START_OF_SCAN;
    at += 2 + file.readUInt16BE(at + 2)
  ) {
    // The first byte after the length: precision (0 for 8 bits) and number of the table (0 for luminance).
    if (file[at + 1] !== DEFINE_TABLES || file[at + 4] !== 0) continue;
    const table = file.subarray(at + 5, at + 5 + ENTRIES);
    if (table.length < ENTRIES) return undefined;
    const scale = table.reduce((a, b) => a + b, 0) / USUAL_SUM;
    const quality = scale <= 1 ? 100 - 50 * scale : 50 / scale;
    return Math.round(Math.min(100, Math.max(1, quality)));
  }
  return undefined;
}
