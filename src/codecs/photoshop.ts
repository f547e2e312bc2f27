/** Photoshop's image resources, in which JPEG and TIFF hold IPTC: `8BIM`, number, name, length and data, each padded to even. */

const PREFIX = Buffer.from('Photoshop 3.0\0', 'latin1');
const SIGNATURE = '8BIM';
const IPTC = 1028;
/** Thumbnails, and copies of EXIF and XMP. */
const stale: ReadonlySet<number> = new Set([1033, 1036, 1058, 1059, 1060]);

/** The resources that stay true when the pixels are replaced. A damaged block ends where it is damaged. */
export function keptResources(block: Buffer): Buffer {
  return Buffer.concat(
    [...resources(block)].filter(({ id }) => !stale.has(id)).map((r) => r.bytes),
  );
}

/** The IPTC record among the resources. */
export const iptcOf = (block: Buffer): Buffer | undefined =>
  [...resources(block)].find(({ id }) => id === IPTC)?.data;

/** An IPTC record as a resource. */
export function resourceOf(iptc: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.write(SIGNATURE, 'latin1');
  head.writeUInt16BE(IPTC, 4);
  head.writeUInt32BE(iptc.length, 8);
  return Buffer.concat([head, iptc, Buffer.alloc(iptc.length % 2)]);
}

/** The resources of a JPEG's segment. Undefined where it is another kind of segment. */
export const resourcesOfJpeg = (segment: Buffer): Buffer | undefined =>
  segment.subarray(0, PREFIX.length).equals(PREFIX) ? segment.subarray(PREFIX.length) : undefined;

/** The content of a JPEG's segment that holds resources. */
export const jpegContent = (block: Buffer): Buffer => Buffer.concat([PREFIX, block]);

interface Resource {
  readonly id: number;
  readonly data: Buffer;
  readonly bytes: Buffer;
}

/** The most resources that are looked at. */
const MAX_RESOURCES = 1000;

function* resources(block: Buffer): Generator<Resource> {
  for (let at = 0, count = 0; at + 12 <= block.length && count < MAX_RESOURCES; count++) {
    if (block.toString('latin1', at, at + 4) !== SIGNATURE) return;
    const length = at + 6 + even(1 + block[at + 6]!);
    if (length + 4 > block.length) return;
    const start = length + 4;
    const end = start + block.readUInt32BE(length);
    if (end > block.length) return;
    const data = block.subarray(start, end);
    const next = Math.min(start + even(data.length), block.length);
    yield { id: block.readUInt16BE(at + 4), data, bytes: block.subarray(at, next) };
    at = next;
  }
}

const even = (size: number): number => size + (size % 2);
