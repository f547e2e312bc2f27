/** What an XMP packet says that is no longer true of an image whose pixels were replaced. */

/**
 * Names whose claims end with the file: orientation, which is applied; thumbnails; a video or a gain map that follows the
 * picture; parts of the packet that were stored elsewhere.
 */
const stale = [
  ...['Orientation', 'MotionPhoto\\w{0,64}', 'MicroVideo\\w{0,64}', 'Directory', 'Thumbnails'],
  ...['HasExtendedXMP'],
].join('|');
const name = `(?:[\\w.-]{1,64}:(?:${stale})|hdrgm:\\w{1,64})`;
const attribute = new RegExp(`\\s${name}\\s{0,16}=\\s{0,16}(?:"[^"]*"|'[^']*')`, 'g');
const opening = new RegExp(`<(${name})(?=[\\s/>])[^<>]*>`, 'g');

/** The longest packet that is taken over, bytes. */
const MAX_PACKET = 2 ** 20;

/** The packet without those claims, as attributes and as elements. Undefined where it is too long or not XML in UTF-8. */
export function cleanXmp(packet: Buffer): Buffer | undefined {
  if (packet.length > MAX_PACKET || packet.includes(0)) return undefined;
  // As Latin-1 every byte stays what it is.
  const text = packet.toString('latin1').replace(attribute, '');
  const parts: string[] = [];
  let from = 0;
  opening.lastIndex = 0;
  for (let found = opening.exec(text); found; found = opening.exec(text)) {
    parts.push(text.slice(from, found.index));
    from = found.index + found[0].length;
    if (!found[0].endsWith('/>')) {
      const closing = `</${found[1]!}>`;
      const end = text.indexOf(closing, from);
      if (end < 0) return undefined;
      from = end + closing.length;
    }
    opening.lastIndex = from;
  }
  parts.push(text.slice(from));
  return Buffer.from(parts.join(''), 'latin1');
}
