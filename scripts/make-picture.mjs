// Draws the README's picture: the noisy sample beside what the service answers, with its depth.
// Run after `npm run build`: node scripts/make-picture.mjs
import { readFile, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { startEngine } from '../dist/evaluation/measure.js';

const noisy = await readFile('docs/samples/noisy.png');
const engine = await startEngine('models', ['denoise-color-traffic']);
const { answer, summary } = await engine.perform({
  task: 'denoise',
  contentType: 'image/png',
  body: noisy,
  stopping: {},
});
await engine.close();

// The captions below are SVG, which the service's codecs block in the whole process.
sharp.unblock({ operation: ['VipsForeignLoadSvg'] });
const { width, height } = await sharp(noisy).metadata();
const gap = 12;
const [depth] = summary.depths;
const words = [
  `sent: σ = 40 of 255, clipped to 8 bits`,
  `answered: depth ${depth} of ${summary.maxDepth}, stopped by ${summary.reasons[0]}`,
];
const caption = (text, x) =>
  `<text x="${x}" y="${height + 30}" font-family="sans-serif" font-size="22" fill="#333">${text}</text>`;
const labels = `<svg xmlns="http://www.w3.org/2000/svg" width="${2 * width + gap}" height="${height + 44}">${caption(words[0], 4)}${caption(words[1], width + gap + 4)}</svg>`;
const picture = await sharp({
  create: { width: 2 * width + gap, height: height + 44, channels: 3, background: '#fff' },
})
  .composite([
    { input: noisy, left: 0, top: 0 },
    { input: Buffer.from(answer.body), left: width + gap, top: 0 },
    { input: Buffer.from(labels), left: 0, top: 0 },
  ])
  .jpeg({ quality: 88 })
  .toBuffer();
await writeFile('docs/denoised.jpg', picture);
