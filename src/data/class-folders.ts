/** Labelled images from a folder with a folder of images for each class. */
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import pMap from 'p-map';
import { readSquare, type Planes } from '../codecs/images.ts';
import { folderError } from './folder-error.ts';
import type { Random } from './random.ts';
import { imageFile } from '../codecs/formats.ts';

/** A data set for classification, held in memory. */
export interface LabelledImages {
  /** Class names: those of the folders, sorted. */
  readonly labels: readonly string[];
  /** All of one size. */
  readonly images: readonly Planes[];
  /** The class of each image, as an index into `labels`. */
  readonly classes: readonly number[];
}

/** How `readClassFolders` decodes images, and which classes it accepts. */
export interface ClassFolderOptions {
  /** Width and height that images are scaled to, pixels. */
  readonly side: number;
  readonly channels: 1 | 3;
  /** The allowed classes in this order, such as those of a trained model. */
  readonly labels?: readonly string[];
}

/** Images that are decoded at the same time. */
const DECODED_AT_ONCE = 16;

/**
 * Every folder that holds images is a class, named by its path below `folder` (`apple`, `Greek/character01`); images come
 * class by class, in the order of their names.
 *
 * @throws a sentence where the folder is missing, has images beside its class folders, has an empty class folder, has
 *   fewer than two classes or one that is not among `labels`, or holds an image that cannot be read
 */
export async function readClassFolders(
  folder: string,
  { side, channels, labels: known }: ClassFolderOptions,
): Promise<LabelledImages> {
  const files = new Map<string, string[]>();
  await collect(folder, folder, files);
  const found = [...files.keys()].sort();
  if (found.length < 2) {
    const what = found.length === 0 ? 'no class folder' : `only one class, ${found[0]}`;
    throw new Error(
      `The folder ${folder} holds ${what}; it must hold a folder of images for each of at least two classes.`,
    );
  }
  const stranger = known && found.find((name) => !known.includes(name));
  if (stranger !== undefined)
    throw new Error(
      `The folder ${folder} holds the class ${stranger}, which is not among the ${known!.length} known ones.`,
    );
  const labels = known ?? found;
  const listed = found.flatMap((name) =>
    files.get(name)!.map((file) => ({ file, class: labels.indexOf(name) })),
  );
  const images = await pMap(
    listed,
    ({ file }) =>
      readSquare(file, side, channels).catch((error: unknown) => {
        throw new Error(`${file} cannot be read as an image: ${(error as Error).message}`, {
          cause: error,
        });
      }),
    { concurrency: DECODED_AT_ONCE },
  );
  return { labels, images, classes: listed.map((entry) => entry.class) };
}

/** The images below `folder`, by the name of their class. */
async function collect(root: string, folder: string, files: Map<string, string[]>): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    const advice = 'Give one that holds a folder of images for each class by --data.';
    throw folderError(folder, error, advice);
  });
  const folders = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const images = entries
    .filter((entry) => !entry.isDirectory() && imageFile.test(entry.name))
    .map(({ name }) => join(folder, name));
  if (images.length > 0 && folder === root) {
    throw new Error(
      `The folder ${root} holds images itself, such as ${images[0]}; they must lie in a folder for each class.`,
    );
  }
  if (images.length === 0 && folders.length === 0 && folder !== root) {
    throw new Error(`The class folder ${folder} holds no image (PNG, JPEG, WebP, AVIF or TIFF).`);
  }
  if (images.length > 0) files.set(relative(root, folder).split(sep).join('/'), images.sort());
  for (const { name } of folders) await collect(root, join(folder, name), files);
}

/**
 * Splits off a random share of every class, at least one image.
 * @throws Error where a class has only one image
 */
export function holdOut(
  data: LabelledImages,
  share: number,
  random: Random,
): { training: LabelledImages; held: LabelledImages } {
  const apart = new Set<number>();
  data.labels.forEach((label, k) => {
    const own = data.classes.flatMap((value, i) => (value === k ? [i] : []));
    if (own.length === 1)
      throw new Error(
        `The class ${label} has one image; one must be held out to measure on, so it needs two or more.`,
      );
    const count = Math.max(own.length > 0 ? 1 : 0, Math.floor(own.length * share));
    for (let n = 0; n < count; n++) apart.add(own.splice(random.integer(own.length), 1)[0]!);
  });
  const all = data.images.map((_, i) => i);
  return {
    training: pickImages(
      data,
      all.filter((i) => !apart.has(i)),
    ),
    held: pickImages(
      data,
      all.filter((i) => apart.has(i)),
    ),
  };
}

/** Number of images in the smallest class. */
export function fewestImages({ labels, classes }: LabelledImages): number {
  const counts = labels.map(() => 0);
  for (const k of classes) counts[k]!++;
  return Math.min(...counts);
}

/** Splits off `count` random classes. */
export function holdOutClasses(
  data: LabelledImages,
  count: number,
  random: Random,
): { training: LabelledImages; held: LabelledImages } {
  const left = data.labels.map((_, k) => k);
  const held = new Set(
    Array.from({ length: count }, () => left.splice(random.integer(left.length), 1)[0]!),
  );
  return {
    training: pickClasses(data, (k) => !held.has(k)),
    held: pickClasses(data, (k) => held.has(k)),
  };
}

/** The images of some classes, renumbered from 0. */
export function pickClasses(
  { labels, images, classes }: LabelledImages,
  wanted: (k: number) => boolean,
): LabelledImages {
  const chosen = labels.flatMap((_, k) => (wanted(k) ? [k] : []));
  const place = new Map(chosen.map((k, i) => [k, i]));
  const which = images.flatMap((_, i) => (wanted(classes[i]!) ? [i] : []));
  return {
    labels: chosen.map((k) => labels[k]!),
    images: which.map((i) => images[i]!),
    classes: which.map((i) => place.get(classes[i]!)!),
  };
}

/** The images with these indices; the labels are kept. */
export const pickImages = (
  { labels, images, classes }: LabelledImages,
  which: readonly number[],
): LabelledImages => ({
  labels,
  images: which.map((i) => images[i]!),
  classes: which.map((i) => classes[i]!),
});
