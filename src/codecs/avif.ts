/** The colour that an AVIF's boxes describe (ISO 14496-12, 23008-12). */

/** Primaries and transfer of colours, by their numbers in ITU-T H.273. */
export interface CodePoints {
  readonly primaries: number;
  readonly transfer: number;
}

interface Box {
  readonly type: string;
  readonly data: Buffer;
}

/** The most boxes of a container that are looked at. */
const MAX_BOXES = 1000;

/** The boxes of a container; one that is cut short or of 64-bit size ends the list. */
function boxesOf(container: Buffer): Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at + 8 <= container.length && boxes.length < MAX_BOXES;) {
    const size = container.readUInt32BE(at);
    const end = size === 0 ? container.length : at + size;
    if (end < at + 8 || end > container.length) break;
    boxes.push({
      type: container.toString('latin1', at + 4, at + 8),
      data: container.subarray(at + 8, end),
    });
    at = end;
  }
  return boxes;
}

const find = (boxes: readonly Box[], type: string): Buffer =>
  boxes.find((box) => box.type === type)?.data ?? Buffer.alloc(0);

/** The code points of the primary picture's `colr` box of the kind `nclx`. Undefined where it has none, or boxes are damaged. */
export function codePointsOf(file: Buffer): CodePoints | undefined {
  // Version and flags stand before the boxes in meta.
  const meta = boxesOf(find(boxesOf(file), 'meta').subarray(4));
  const primary = find(meta, 'pitm');
  if (primary.length < 6) return undefined;
  const id =
    primary[0] === 0 || primary.length < 8 ? primary.readUInt16BE(4) : primary.readUInt32BE(4);
  const parts = boxesOf(find(meta, 'iprp'));
  const properties = boxesOf(find(parts, 'ipco'));
  for (const index of propertiesOf(find(parts, 'ipma'), id)) {
    const { type, data } = properties[index - 1] ?? { type: '', data: Buffer.alloc(0) };
    if (type === 'colr' && data.toString('latin1', 0, 4) === 'nclx' && data.length >= 8)
      return { primaries: data.readUInt16BE(4), transfer: data.readUInt16BE(6) };
  }
  return undefined;
}

/** The numbers of an item's properties, from 1 on, as `ipma` lists them. */
function propertiesOf(ipma: Buffer, item: number): number[] {
  if (ipma.length < 8) return [];
  const idBytes = ipma[0]! < 1 ? 2 : 4;
  const indexBytes = (ipma[3]! & 1) === 1 ? 2 : 1;
  for (let at = 8; at + idBytes < ipma.length;) {
    const id = ipma.readUIntBE(at, idBytes);
    const count = ipma[at + idBytes]!;
    const start = at + idBytes + 1;
    at = start + count * indexBytes;
    if (id !== item || at > ipma.length) continue;
    // The highest bit says that a reader must understand the property.
    const most = 2 ** (8 * indexBytes - 1);
    return Array.from(
      { length: count },
      (_, i) => ipma.readUIntBE(start + i * indexBytes, indexBytes) % most,
    );
  }
  return [];
}
