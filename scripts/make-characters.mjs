// Draws made-up characters as several hands would, for the README's few-shot example: node scripts/make-characters.mjs
import { mkdir } from 'node:fs/promises';
import sharp from 'sharp';
import { Random } from '../dist/data/random.js';

const FOLDER = 'docs/samples/characters';
/** Strokes through points on a grid of 100×100. */
const characters = {
  anchor: ['50,12 50,84', '24,56 30,78 50,86 70,78 76,56', '34,30 66,30'],
  spiral: ['52,52 60,44 54,34 38,38 32,56 44,74 66,72 78,50 68,24 44,16'],
  gate: ['22,84 22,26 78,26 78,84', '22,52 78,52'],
  kite: ['50,12 76,42 50,70 24,42 50,12', '50,70 40,82 58,90'],
};
/** Files: the support has two drawings of each character, the queries one of each, in another order. */
const drawings = [
  ...Object.keys(characters).flatMap((name) => [
    [name, `${name}-1`],
    [name, `${name}-2`],
  ]),
  ...['gate', 'anchor', 'kite', 'spiral'].map((name, i) => [name, `query-${i + 1}`]),
];

const random = new Random(12);
await mkdir(FOLDER, { recursive: true });
for (const [name, file] of drawings) {
  const [tilt, size] = [0.12 * random.normal(), 0.85 + 0.06 * random.normal()];
  const place = (text) => {
    const [x, y] = text.split(',').map((value) => Number(value) - 50 + 2.2 * random.normal());
    return [
      52.5 + size * (x * Math.cos(tilt) - y * Math.sin(tilt)),
      52.5 + size * (x * Math.sin(tilt) + y * Math.cos(tilt)),
    ];
  };
  const paths = characters[name].map((stroke) => {
    const points = stroke.split(' ').map(place);
    // From middle to middle, bent towards the points between: corners are round, as a pen leaves them.
    const middle = ([a, b], [c, d]) => `${((a + c) / 2).toFixed(1)} ${((b + d) / 2).toFixed(1)}`;
    const bends = points
      .slice(1, -1)
      .map(
        (point, i) =>
          `Q${point.map((value) => value.toFixed(1)).join(' ')} ${middle(point, points[i + 2])}`,
      );
    const end = points
      .at(-1)
      .map((value) => value.toFixed(1))
      .join(' ');
    return `<path d="M${points[0].map((value) => value.toFixed(1)).join(' ')} ${bends.join(' ')} L${end}"/>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="105" height="105"><rect width="105" height="105" fill="#fff"/><g fill="none" stroke="#000" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round">${paths.join('')}</g></svg>`;
  await sharp(Buffer.from(svg))
    .toColourspace('b-w')
    .png({ compressionLevel: 9, palette: true })
    .toFile(`${FOLDER}/${file}.png`);
}
