import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { reproduceWith } from './run.ts';

it('measures denoising on a folder of images, part by part', async () => {
  const photos = await mkdtemp(join(tmpdir(), 'stopwise-photos-'));
  await sharp('docs/samples/clean.jpg').resize(128, 128).toFile(join(photos, 'a.png'));
  const out = join(photos, 'report');
  const printed = await reproduceWith(
    'models',
    ...['denoise', '--quick', '--data', photos, '--learn', photos, '--out', out],
  );
  for (const heading of [
    'Gray images',
    'Quality against time',
    'The published form',
    'The price of compute',
    'Colour images',
    'Noise of other kinds',
    'Where depth goes',
  ])
    expect(printed).toContain(`## ${heading}\n`);
  expect(printed).toMatch(/DnCNN-stop, published +\| +– \| +– \| 27\.61/);
  expect(printed).toMatch(/denoise-gray, every image at depth 12 +(\| \d\d\.\d\d ){7}/);
  expect(printed).toMatch(/\| λ = 8 dB +(\| +-?[\d.]+ ){3}\| +\d+ % \|/);
  const plots = [
    'depth-by-noise.svg',
    'map-depth.svg',
    'map-noisy.png',
    'prices.svg',
    'quality-over-time.svg',
  ];
  expect(await readdir(out)).toEqual(expect.arrayContaining(plots));
}, 180_000);
