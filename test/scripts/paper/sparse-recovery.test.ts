import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { recoveryDefaults, recoverySchema } from '../../../src/tasks/sparse-recovery/config.ts';
import { parseConfig } from '../../../src/training/config.ts';
import { reproduceWith } from './run.ts';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'stopwise-paper-'));
});

it('measures the parts that are asked for, prints them, and writes them with their plots into one report', async () => {
  const out = join(place, 'report');
  const printed = await reproduceWith(
    'models',
    ...['sparse-recovery', 'depth', '--quick', '--out', out],
  );
  expect(printed).toMatch(/\| depth 8 +\| +8\.00 \| +−\d+\.\d\d \|/);
  expect(await readdir(out)).toEqual(['depth-histogram.svg', 'depth.md', 'depth.svg', 'report.md']);
  expect(await readFile(join(out, 'report.md'), 'utf8')).toContain(printed.trim());
}, 120_000);

it('recovers images from block measurements beside FISTA, with a picture', async () => {
  const out = join(place, 'sensing');
  await sharp(await readFile('docs/samples/clean.jpg'))
    .resize(128, 128)
    .toFile(join(place, 'a.png'));
  const printed = await reproduceWith(
    'models',
    ...['sparse-recovery', 'natural-images', '--quick', '--data', place, '--out', out],
  );
  const [, ...figures] = /\| \*\*mean\*\*(.*)\|/.exec(printed)![1]!.split('|').map(Number);
  expect(figures).toHaveLength(7);
  const [, ista = 0, , fista = 0, full = 0, adaptive = 0, depth = 0] = figures;
  // Both converge to the same minimum.
  expect(Math.abs(fista - ista)).toBeLessThan(1);
  expect(full).toBeGreaterThan(20);
  expect(full - adaptive).toBeLessThan(0.3);
  expect(depth).toBeGreaterThanOrEqual(1);
  expect(await readdir(out)).toEqual(
    expect.arrayContaining(['natural-images.jpg', 'natural-images-depth.svg']),
  );
  const { width, height } = await sharp(await readFile(join(out, 'natural-images.jpg'))).metadata();
  expect([width, height]).toEqual([3 * 128 + 16, 128]);
}, 120_000);

it.each(['traffic', 'gain', 'table', 'depth', 'time', 'robustness'])(
  '%s names the bundle that is missing',
  async (part) => {
    const empty = await mkdtemp(join(tmpdir(), 'stopwise-no-models-'));
    await expect(
      reproduceWith(empty, 'sparse-recovery', part, '--quick', '--out', join(place, 'none')),
    ).rejects.toThrow(`There is no model sparse-recovery in ${empty}`);
  },
  120_000,
);

describe('LISTA as published, whose bundles are not committed', () => {
  it('leaves its rows empty and prints the commands that train it', async () => {
    const printed = await reproduceWith(
      'models',
      ...['sparse-recovery', 'table', '--quick', '--out', join(place, 'table')],
    );
    expect(printed).toMatch(/\| LISTA, 20 layers +(\| +– ){5}\| +−17\.53/);
    expect(printed).toContain('**Some rows are empty**');
    for (const name of ['sparse-recovery-published-fixed', 'sparse-recovery-published'])
      expect(printed).toMatch(
        new RegExp(`\nnpm run train -- sparse-recovery --form published .*--name ${name}( .*)?\n`),
      );
    const [, file] = /--config (\S+)/.exec(printed)!;
    const config = parseConfig(
      recoverySchema,
      recoveryDefaults.published,
      JSON.parse(await readFile(file!, 'utf8')),
    );
    expect(config).toMatchObject({ stageOne: { beta: 'last' }, stageTwo: { steps: 0 } });
  }, 180_000);
});
