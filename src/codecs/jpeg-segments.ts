/** Segments of a written JPEG that libvips leaves out. */

const FIRST_APPLICATION = 0xe0;
const LAST_APPLICATION = 0xef;
const JFIF = 0xe0;
const RESOURCES = 0xed;
const MAX_CONTENT = 65_533;
const START_BYTES = 2;

/** The JPEG with its resolution (pixels an inch) and the content of the segment that holds IPTC; what is too long is left out. */
export function withSegments(
  jpeg: Buffer,
  density: number | undefined,
  content: Buffer | undefined,
): Buffer {
  const isMeasured = density !== undefined && density > 0 && density <= 0xffff;
  const parts: Buffer[] = [jpeg.subarray(0, START_BYTES)];
  if (isMeasured) parts.push(segment(JFIF, jfif(density)));
  let at = START_BYTES;
  while (at + 4 <= jpeg.length) {
    const marker = jpeg[at + 1]!;
    if (marker < FIRST_APPLICATION || marker > LAST_APPLICATION) break;
    const end = at + 2 + jpeg.readUInt16BE(at + 2);
    if (marker !== JFIF || !isMeasured) parts.push(jpeg.subarray(at, end));
    at = end;
  }
  if (content && content.length <= MAX_CONTENT) parts.push(segment(RESOURCES, content));
  return Buffer.concat([...parts, jpeg.subarray(at)]);
}

function segment(marker: number, content: Buffer): Buffer {
  const head = Buffer.of(0xff, marker, 0, 0);
  head.writeUInt16BE(content.length + 2, 2);
  return Buffer.concat([head, content]);
}

/** Version 1.1, dots an inch in both directions, no thumbnail. */
function jfif(density: number): Buffer {
  const content = Buffer.from('JFIF\0\x01\x01\x01\0\0\0\0\0\0', 'latin1');
  content.writeUInt16BE(density, 8);
  content.writeUInt16BE(density, 10);
  return content;
}
