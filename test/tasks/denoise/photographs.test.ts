import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jpegFile } from '../../../src/tasks/denoise/conditions.ts';
import { parts, partOf, readPhotographs } from '../../../src/tasks/denoise/photographs.ts';
import { isByte, madeUpPhoto } from './images.ts';

describe('photographs', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'photographs-'));
    for (let k = 0; k < 30; k++) {
      const image = madeUpPhoto(k, k % 2 ? 1 : 3, 24, 20);
      const file = await jpegFile(image, { quality: 95, chroma: '4:4:4' });
      await writeFile(join(folder, `${k}.jpg`), file);
      await writeFile(join(folder, `copy of ${k}.jpg`), file);
    }
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are in one part each, and copies in the same one', async () => {
    const [training, selection, certification, test] = await Promise.all(
      parts.map(async (part) => (await readPhotographs(folder, part)).map(({ name }) => name)),
    );
    expect(test).toHaveLength(60);
    const dealt = [...training!, ...selection!, ...certification!];
    expect([...dealt].sort()).toEqual([...test!].sort());
    for (const names of [training!, selection!, certification!]) {
      const originals = names.filter((name) => !name.startsWith('copy'));
      expect(originals.length).toBeGreaterThan(0);
      for (const name of originals) expect(names).toContain(`copy of ${name}`);
    }
  });

  it('are gray or in colour as their files are, in 8 bits', async () => {
    const photographs = await readPhotographs(folder, 'test');
    const channelsOf = (name: string): number | undefined =>
      photographs.find((photograph) => photograph.name === name)?.image.channels;
    expect([channelsOf('2.jpg'), channelsOf('3.jpg')]).toEqual([3, 1]);
    expect(photographs.every(({ image }) => image.data.every(isByte))).toBe(true);
  });

  it('are dealt 60 : 10 : 30 by content', () => {
    const counts = { training: 0, selection: 0, certification: 0 };
    for (let i = 0; i < 5000; i++) counts[partOf(Buffer.from(`content ${i}`))]++;
    expect(counts.training / 5000).toBeCloseTo(0.6, 1.5);
    expect(counts.selection / 5000).toBeCloseTo(0.1, 1.5);
    expect(counts.certification / 5000).toBeCloseTo(0.3, 1.5);
  });

  it('are missed in a sentence', async () => {
    await expect(readPhotographs(join(folder, 'none'), 'test')).rejects.toThrow(
      /There is no folder/,
    );
    const empty = await mkdtemp(join(tmpdir(), 'empty-'));
    await expect(readPhotographs('package.json', 'test')).rejects.toThrow(
      /package\.json is a file, not a folder\./,
    );
    await expect(readPhotographs(empty, 'training')).rejects.toThrow(
      /no image for the part training/,
    );
    await writeFile(join(empty, 'broken.png'), 'no image');
    await expect(readPhotographs(empty, 'test')).rejects.toThrow(/broken\.png cannot be read/);
    await rm(empty, { recursive: true });
  });
});
