/** Tags of EXIF blocks and of TIFFs' first directories that stay true when the pixels are replaced. */
import {
  EXIF_IFD,
  readDirectory,
  short,
  writeDirectory,
  type Directory,
  type Field,
} from './ifd.ts';

const PREFIX = 'Exif\0\0';
const HEADER = Buffer.from('II*\0\x08\0\0\0', 'latin1');

const ORIENTATION = 274;
const PIXEL_WIDTH = 40_962;
const PIXEL_HEIGHT = 40_963;
/** White point and primaries. */
const colour: ReadonlySet<number> = new Set([318, 319]);
/** Pixels a unit in both directions, and the unit. */
const resolution: ReadonlySet<number> = new Set([282, 283, 296]);
const described: ReadonlySet<number> = new Set([
  ...[269, 270, 271, 272], // document, description, make, model
  ...[305, 306, 315, 316], // software, date, artist, host
  33_432, // copyright
  ...[18_246, 18_249], // rating
  ...[40_091, 40_092, 40_093, 40_094, 40_095], // Windows' title, comment, author, keywords, subject
]);

/** The directory of an EXIF block or of a TIFF, without orientation (it is applied), thumbnail and layout of the pixels. */
export function trueTags(block: Buffer, metadata: 'keep' | 'strip'): Directory | undefined {
  const isBlock = block.toString('latin1', 0, PREFIX.length) === PREFIX;
  const directory = readDirectory(isBlock ? block.subarray(PREFIX.length) : block);
  if (!directory) return undefined;
  const keeps = ({ tag }: Field): boolean =>
    resolution.has(tag) || colour.has(tag) || (metadata === 'keep' && described.has(tag));
  const children = metadata === 'keep' ? new Map(directory.children) : new Map<number, Directory>();
  const exif = children.get(EXIF_IFD);
  if (exif && isTurned(directory))
    children.set(EXIF_IFD, { ...exif, fields: exif.fields.map(turned) });
  return { fields: directory.fields.filter(keeps), children };
}

/** Whether applying the orientation exchanges width and height. */
const isTurned = ({ fields }: Directory): boolean =>
  fields.some(({ tag, value }) => tag === ORIENTATION && value[0]! >= 5);

function turned(field: Field): Field {
  if (field.tag === PIXEL_WIDTH) return { ...field, tag: PIXEL_HEIGHT };
  return field.tag === PIXEL_HEIGHT ? { ...field, tag: PIXEL_WIDTH } : field;
}

/** Whether a directory tells more than colour and resolution. */
export const tellsMore = ({ fields, children }: Directory): boolean =>
  children.size > 0 || fields.some(({ tag }) => described.has(tag));

/** A directory as an EXIF block, without the prefix that JPEG gives it; upright. */
export const exifBlock = ({ fields, children }: Directory): Buffer =>
  Buffer.concat([
    HEADER,
    writeDirectory({ fields: [...fields, short(ORIENTATION, 1)], children }, HEADER.length),
  ]);

/** The fields of a resolution. */
export const resolutionOf = ({ fields }: Directory): Field[] =>
  fields.filter(({ tag }) => resolution.has(tag));
