/** Photographs in a folder, dealt to the parts of the traffic by their content. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readImage, type Planes } from '../../codecs/images.ts';
import { imageFile } from '../../codecs/formats.ts';
import { roundTo8Bits } from './planes.ts';
import { folderError } from '../../data/folder-error.ts';
import { messageOf } from '../../util/message-of.ts';

/** Where requests are used. `test` is a folder of its own; the others share one and have no image in common. */
export const parts = ['training', 'selection', 'certification', 'test'] as const;
/** The name of a part of the traffic; see {@link parts}. */
export type Part = (typeof parts)[number];

/** A decoded image file, named by its path. */
export interface Photograph {
  /** The path below the folder. */
  readonly name: string;
  /** Gray or colour as the file is, 8 bits. */
  readonly image: Planes;
}

/**
 * The part of a file: by a hash of its bytes 60 % training, 10 % selection, 30 % certification, whatever its name. A bound
 * tightens with the number of certified images; choosing rules needs fewer.
 */
export function partOf(content: Uint8Array): Exclude<Part, 'test'> {
  const share = createHash('sha256').update(content).digest().readUInt32BE(0) / 2 ** 32;
  return share < 0.6 ? 'training' : share < 0.7 ? 'selection' : 'certification';
}

/**
 * The photographs of a folder that belong to a part, by name; for `test` all of them.
 * @throws a sentence where the folder is missing, has no image of this part, or holds one that cannot be read
 */
export async function readPhotographs(folder: string, part: Part): Promise<Photograph[]> {
  const entries = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    throw folderError(folder, error, 'Give a folder of images.');
  });
  const photographs: Photograph[] = [];
  for (const name of entries.filter((entry) => imageFile.test(entry)).sort()) {
    const file = join(folder, name);
    if (part !== 'test' && partOf(await readFile(file)) !== part) continue;
    const { channels, width, height, data } = await readImage(file).catch((error: unknown) => {
      throw new Error(`${file} cannot be read as an image: ${messageOf(error)}`, { cause: error });
    });
    photographs.push({ name, image: { channels, width, height, data: roundTo8Bits(data) } });
  }
  if (photographs.length === 0)
    throw new Error(`The folder ${folder} has no image for the part ${part}.`);
  return photographs;
}
