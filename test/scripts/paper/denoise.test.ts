import { readFile, mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { reproduceWith } from './run.ts';

/** Enough that each part of the traffic has some. */
async function otherPhotos(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-photos-'));
  for (let i = 0; i < 12; i++)
    await sharp(await readFile('docs/samples/clean.jpg'))
      .extract({ left: 8 * i, top: 4 * i, width: 64, height: 64 })
      .toFile(join(folder, `${i}.png`));
  return folder;
}

it('measures denoising on a folder of images, part by part', async () => {
  const photos = await mkdtemp(join(tmpdir(), 'stopwise-photos-'));
  await sharp(await readFile('docs/samples/clean.jpg'))
    .resize(128, 128)
    .toFile(join(photos, 'a.png'));
  const out = join(photos, 'report');
  const printed = await reproduceWith(
    'models',
    ...['denoise', '--quick', '--data', photos, '--learn', await otherPhotos(), '--out', out],
  );
  for (const heading of [
    'Gray images',
    'Quality against time',
    'The published form',
    'The price of compute',
    'Colour images',
    'Noise of other kinds',
    'Where depth goes',
    'Adaptivity gain',
    'Adaptivity gain of denoise-color-traffic',
  ])
    expect(printed).toContain(`## ${heading}\n`);
  expect(printed).toMatch(/DnCNN-stop, published +\| +– \| +– \| 27\.61/);
  expect(printed).toMatch(/denoise-gray, every image at depth 12 +(\| \d\d\.\d\d ){7}/);
  expect(printed).toMatch(/\| λ = 8 dB +(\| +-?[\d.]+ ){3}\| +\d+ % \|/);
  const plots = [
    'depth-by-noise.svg',
    'gain.svg',
    'gain-color.svg',
    'map-depth.svg',
    'map-noisy.png',
    'prices.svg',
    'quality-over-time.svg',
  ];
  expect(await readdir(out)).toEqual(expect.arrayContaining(plots));
}, 180_000);

it('trains and measures every shape of the network', async () => {
  const photos = await mkdtemp(join(tmpdir(), 'stopwise-photos-'));
  await sharp(await readFile('docs/samples/clean.jpg'))
    .resize(96, 96)
    .toFile(join(photos, 'a.png'));
  const printed = await reproduceWith(
    'models',
    ...['denoise', 'shapes', '--quick', '--data', photos, '--learn', photos, '--out', photos],
  );
  const rows = printed.split('\n').filter((line) => /^\|.*\d\d\.\d\d \|$/.test(line));
  const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
  expect(cells.map(([, label, exit]) => `${label} ${exit}`.trim())).toEqual([
    '32 × 16, 2 steps 4',
    '8',
    '12',
    '16',
    '48 × 14, 2 steps 4',
    '7',
    '14',
    '64 × 15, 2 steps 4',
    '8',
    '15',
  ]);
  // After two steps a network answers about what it was sent: 20 log10(255/σ) dB.
  for (const [, , , , ...quality] of cells)
    for (const [i, sigma] of [50, 75].entries())
      expect(Math.abs(Number(quality[4 + i]) - 20 * Math.log10(255 / sigma))).toBeLessThan(4);
}, 180_000);
