/**
 * Compressed sensing of a folder of images: node scripts/compressed-sensing.mjs IMAGES TARGET [SIDE]
 *
 * TARGET gets `A.npy`, a quarter as many Gaussian measurements as a block of SIDE×SIDE pixels (default 16) has, in the basis
 * of the cosine transform; `signals.npy`, the coefficients of the blocks of the images, less mid-gray, [blocks, SIDE²]; and
 * `recipe.json`, to learn with:
 *   npm run train -- sparse-recovery --matrix TARGET/A.npy --data TARGET/signals.npy --config TARGET/recipe.json
 * Run after `npm run build`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeNpy } from '../dist/codecs/npy.js';
import { cosineTransform, toBlocks, toCoefficients } from '../dist/data/blocks.js';
import { readImageFolder } from '../dist/data/images.js';
import { Random } from '../dist/data/random.js';
import { measurementMatrix } from '../dist/data/sparse-recovery.js';

const [source, target, given = '16'] = process.argv.slice(2);
const side = Number(given);
if (!source || !target || !(Number.isInteger(side) && side > 1)) {
  console.error('node scripts/compressed-sensing.mjs IMAGES TARGET [SIDE]');
  process.exit(2);
}

const [measurements, pixels] = [Math.round(side ** 2 / 4), side ** 2];
const transform = cosineTransform(side);
/** Every row, a filter of pixels, as the same filter of coefficients; and every block as its coefficients. */
const toRows = (rows) => {
  const data = new Float32Array(rows.length * pixels);
  rows.forEach((row, i) => data.set(toCoefficients(transform, row), i * pixels));
  return { shape: [rows.length, pixels], data };
};

// Of condition 1: a Gaussian matrix with orthogonal rows, but for the scaling of its columns.
const gaussian = measurementMatrix(measurements, pixels, new Random(2020), 1);
const filters = Array.from({ length: measurements }, (_, i) =>
  gaussian.data.subarray(i * pixels, (i + 1) * pixels),
);
const { images } = await readImageFolder(source, 1);
const blocks = images.flatMap((image) => toBlocks(image, side));

await mkdir(target, { recursive: true });
await writeFile(join(target, 'A.npy'), writeNpy(toRows(filters)));
await writeFile(join(target, 'signals.npy'), writeNpy(toRows(blocks)));
const recipe = {
  depth: 6,
  snr: [40],
  batch: 128,
  stageOne: { steps: 220 },
  stageTwo: { steps: 80, lambda: 0.3 },
};
await writeFile(join(target, 'recipe.json'), `${JSON.stringify(recipe, null, 2)}\n`);
console.log(
  `${blocks.length} blocks of ${images.length} images, ${measurements} measurements of ${pixels} pixels each`,
);
