/**
 * Arranges an archive's images by a split of its classes: node scripts/arrange-splits.mjs SPLITS.json SOURCE TARGET
 *
 * SPLITS.json is {"train": ["CLASS", …], "val": […], "test": […]}; a class is a folder below SOURCE, or below several of
 * SOURCE's folders (`train/apple` and `test/apple` are one class). TARGET gets a folder for each split, with a folder of
 * images for each class in it, as links to the originals.
 */
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const [splitsFile, source, target] = process.argv.slice(2);
if (!splitsFile || !source || !target) {
  console.error('node scripts/arrange-splits.mjs SPLITS.json SOURCE TARGET');
  process.exit(2);
}

/** The files in a folder; none where there is no such folder. */
const filesIn = async (folder) => {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
};
const splits = JSON.parse(await readFile(splitsFile, 'utf8'));
const tops = (await readdir(source, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => join(source, name));
for (const [split, classes] of Object.entries(splits)) {
  let images = 0;
  for (const name of classes) {
    const places = [join(source, name), ...tops.map((top) => join(top, name))];
    const found = (
      await Promise.all(places.map(async (place) => ({ place, files: await filesIn(place) })))
    ).filter(({ files }) => files.length > 0);
    if (found.length === 0) throw new Error(`There is no folder ${name} of images in ${source}.`);
    await mkdir(join(target, split, name), { recursive: true });
    for (const [i, { place, files }] of found.entries()) {
      for (const file of files) {
        await symlink(
          resolve(place, file),
          join(target, split, name, found.length > 1 ? `${i}-${file}` : file),
        );
        images++;
      }
    }
  }
  console.log(`${split}: ${classes.length} classes, ${images} images`);
}
