import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readManifest } from '../../src/bundle/read.ts';
import { trainCommand } from '../../src/commands/train.ts';
import { Random } from '../../src/data/random.ts';
import { nmse } from '../../src/evaluation/metrics.ts';

let place: string;
const said: string[] = [];
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'stopwise-few-'));
  vi.spyOn(console, 'log').mockImplementation((text: string) => void said.push(text));
  vi.spyOn(console, 'error').mockImplementation((text: string) => void said.push(text));
  vi.spyOn(console, 'table').mockReturnValue();
});
afterAll(async () => {
  vi.restoreAllMocks();
  await rm(place, { recursive: true });
});

it('train warns where it measured on few samples, with the interval, and leaves a curve', async () => {
  const images = join(place, 'images');
  await mkdir(images);
  // The same on every run: a hash of the content decides which are held out.
  const random = new Random(3);
  for (let i = 0; i < 40; i++) {
    const pixels = Buffer.from(
      Array.from({ length: 24 * 20 * 3 }, () => 128 + i * (random.uniform() - 0.5)),
    );
    const raw = { width: 24, height: 20, channels: 3 } as const;
    await sharp(pixels, { raw })
      .png()
      .toFile(join(images, `${i}.png`));
  }
  const config = join(place, 'quick.json');
  const stages = { stageOne: { steps: 3 }, stageTwo: { steps: 2 } };
  const network = { features: 4, depth: 3, exits: [2, 3], patch: 16, batch: 2 };
  await writeFile(config, JSON.stringify({ ...network, ...stages }));
  const folders = { models: join(place, 'models'), checkpoints: join(place, 'checkpoints') };
  const flags = ['--data', images, '--config', config, '--name', 'own', '--threads', '1'];
  await trainCommand(['denoise', ...flags], folders);

  const { measured } = await readManifest(join(folders.models, 'own'));
  const rows = measured!.threshold;
  const fewest = Math.min(...rows.map(({ n }) => n));
  expect(fewest).toBeGreaterThan(1);
  expect(fewest).toBeLessThan(30);
  for (const { half_width: half } of rows) expect(half).toBeGreaterThan(0);
  expect(said.join('\n')).toMatch(
    new RegExp(`^Measured on ${fewest} samples: the quality is known to ± [\\d.]+ \\(95 %\\)`, 'm'),
  );
  const curve = await readFile(join(folders.checkpoints, 'own', 'curve.html'), 'utf8');
  expect(curve).toContain('<polyline');
}, 120_000);

it('the interval of an NMSE is that of repeated draws', () => {
  const random = new Random(7);
  const draw = () =>
    Array.from({ length: 25 }, () => {
      const power = 1 + random.uniform();
      return [power * 0.1 * (1 + random.uniform()), power] as const;
    });
  const repeats = Array.from({ length: 2_000 }, () => nmse.total(draw()));
  const mean = repeats.reduce((a, b) => a + b, 0) / repeats.length;
  const deviation = Math.sqrt(
    repeats.reduce((sum, value) => sum + (value - mean) ** 2, 0) / repeats.length,
  );
  const widths = Array.from({ length: 200 }, () => nmse.halfWidth(draw()));
  const width = widths.reduce((a, b) => a + b, 0) / widths.length;
  expect(width / (1.96 * deviation)).toBeGreaterThan(0.9);
  expect(width / (1.96 * deviation)).toBeLessThan(1.1);
});
