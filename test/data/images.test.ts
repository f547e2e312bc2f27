import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeImage, type Planes } from '../../src/codecs/images.ts';
import {
  addNoise,
  drawSigma,
  PatchSampler,
  readImageFolder,
  type NoiseOptions,
} from '../../src/data/images.ts';
import { Random } from '../../src/data/random.ts';

const ramp = (channels: 1 | 3, width: number, height: number): Planes => ({
  channels,
  width,
  height,
  data: Float32Array.from({ length: channels * width * height }, (_, i) => (i % 256) / 255),
});

const png = ({ channels, width, height, data }: Planes): Promise<Uint8Array> =>
  encodeImage(
    { channels, width, height, data, format: 'png', bits: 8, alpha: undefined, source: undefined },
    'png',
  );

describe('readImageFolder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'images-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('reads all images below the folder, sorted, gray as gray', async () => {
    await mkdir(join(folder, 'a'));
    await writeFile(join(folder, 'b.png'), await png(ramp(1, 4, 3)));
    await writeFile(join(folder, 'a', 'z.PNG'), await png(ramp(1, 5, 6)));
    await writeFile(join(folder, 'notes.txt'), 'not an image');
    const { names, images } = await readImageFolder(folder);
    expect(names).toEqual([join('a', 'z.PNG'), 'b.png']);
    expect(images[1]).toMatchObject(ramp(1, 4, 3));
    expect(images[0]!.channels).toBe(1);
  });

  it('gives all images the same channels: colour where one has it, or what is asked for', async () => {
    await writeFile(join(folder, 'gray.png'), await png(ramp(1, 4, 4)));
    await writeFile(join(folder, 'colour.png'), await png(ramp(3, 4, 4)));
    const channels = async (wanted?: 1 | 3): Promise<number[]> =>
      (await readImageFolder(folder, wanted)).images.map((image) => image.channels);
    expect(await channels()).toEqual([3, 3]);
    expect(await channels(1)).toEqual([1, 1]);
    expect(await channels(3)).toEqual([3, 3]);
  });

  it('says that a file is a file', async () => {
    const file = join(folder, 'README.md');
    await writeFile(file, 'words');
    await expect(readImageFolder(file)).rejects.toThrow(`${file} is a file, not a folder.`);
  });

  it('reads those files alone whose bytes are asked for', async () => {
    const wanted = await png(ramp(1, 4, 4));
    await writeFile(join(folder, 'a.png'), await png(ramp(1, 5, 5)));
    await writeFile(join(folder, 'b.png'), wanted);
    const { names } = await readImageFolder(folder, 1, (file) => Buffer.from(wanted).equals(file));
    expect(names).toEqual(['b.png']);
  });

  it('refuses a folder that is missing, is empty or holds a broken image', async () => {
    await expect(readImageFolder(join(folder, 'none'))).rejects.toThrow(
      /There is no folder .*none/,
    );
    await expect(readImageFolder(folder)).rejects.toThrow(/holds no image/);
    await writeFile(join(folder, 'broken.png'), (await png(ramp(1, 64, 64))).subarray(0, 90));
    await expect(readImageFolder(folder)).rejects.toThrow(/broken\.png cannot be read/);
  });
});

describe('PatchSampler', () => {
  const noise = { sigma: [5, 55], clipped: 0 } as const;
  /** Every pixel of every image has a value of its own. */
  const image: Planes = {
    channels: 3,
    width: 9,
    height: 7,
    data: Float32Array.from({ length: 189 }, (_, i) => i),
  };

  it('cuts patches that are a square of the image in one of its eight symmetries, all of which occur', () => {
    const size = 4;
    const { clean } = new PatchSampler([image], new Random(1), size, 600, noise).next();
    const seen = new Set<string>();
    const corners = new Set<number>();
    for (let n = 0; n < 600; n++) {
      const patch = clean.subarray(n * 48, (n + 1) * 48);
      const [row, column] = [patch[size]! - patch[0]!, patch[1]! - patch[0]!];
      expect([Math.abs(row), Math.abs(column)].sort((a, b) => a - b)).toEqual([1, 9]);
      patch.forEach((value, i) => {
        const c = Math.floor(i / 16);
        expect(value).toBe(patch[0]! + 63 * c + row * (Math.floor(i / 4) % 4) + column * (i % 4));
      });
      seen.add(`${row} ${column}`);
      corners.add(Math.min(...patch));
    }
    expect(seen.size).toBe(8);
    expect(corners.size).toBe(6 * 4);
  });

  it('draws σ uniformly from its range, one for each patch, and adds float noise of it', () => {
    const gray: Planes = {
      channels: 1,
      width: 40,
      height: 40,
      data: new Float32Array(1600).fill(0.9),
    };
    const {
      image: noisy,
      clean,
      sigma,
    } = new PatchSampler([gray], new Random(2), 32, 200, noise).next();
    expect(Math.min(...sigma)).toBeLessThan(8);
    expect(Math.max(...sigma)).toBeGreaterThan(52);
    sigma.forEach((deviation, n) => {
      let squares = 0;
      for (let i = n * 1024; i < (n + 1) * 1024; i++) squares += (noisy[i]! - clean[i]!) ** 2;
      expect((255 * Math.sqrt(squares / 1024)) / deviation).toBeCloseTo(1, 0.5);
    });
    expect(noisy.some((value) => value > 1.2)).toBe(true);
  });

  it('clips and rounds the share of patches asked for', () => {
    const gray: Planes = { channels: 1, width: 8, height: 8, data: new Float32Array(64).fill(0.5) };
    const { image: noisy } = new PatchSampler([gray], new Random(3), 8, 400, {
      sigma: [50, 50],
      clipped: 0.25,
    }).next();
    const rounded = Array.from({ length: 400 }, (_, n) =>
      noisy.subarray(n * 64, (n + 1) * 64).every(isByte),
    ).filter(Boolean);
    expect(rounded.length / 400).toBeGreaterThan(0.18);
    expect(rounded.length / 400).toBeLessThan(0.32);
  });

  it('is the same for the same seed', () => {
    const next = (seed: number): Float32Array =>
      new PatchSampler([image], new Random(seed), 4, 3, noise).next().image;
    expect(next(7)).toEqual(next(7));
    expect(next(7)).not.toEqual(next(8));
  });

  it('refuses images that are smaller than a patch', () => {
    expect(() => new PatchSampler([image], new Random(1), 8, 1, noise)).toThrow(
      /at least 8×8 pixels; one is 9×7/,
    );
  });
});

describe('drawSigma', () => {
  const noise: NoiseOptions = {
    sigma: [0.5, 75],
    spread: 'log-uniform',
    clean: 0.1,
    anneal: { from: 25, share: 0.2 },
    clipped: 0,
  };
  const draws = (progress: number, options = noise): number[] => {
    const random = new Random(5);
    return Array.from({ length: 4000 }, () => drawSigma(options, progress, random));
  };
  const share = (values: readonly number[], within: (value: number) => boolean): number =>
    values.filter(within).length / values.length;

  it('is as often in one factor of its range as in any other, and zero for the clean share', () => {
    const values = draws(1);
    expect(share(values, (value) => value === 0)).toBeCloseTo(0.1, 1.5);
    const noisy = values.filter((value) => value > 0);
    expect(Math.min(...noisy)).toBeGreaterThanOrEqual(0.5);
    expect(Math.max(...noisy)).toBeLessThanOrEqual(75);
    expect(share(noisy, (value) => value < Math.sqrt(0.5 * 75))).toBeCloseTo(0.5, 1.5);
  });

  it('begins with high levels alone; the bound falls by equal factors, and clean patches come last', () => {
    const least = (progress: number): number => Math.min(...draws(progress));
    expect(least(0)).toBeCloseTo(25, 1);
    // Half of the way from 25 down to 0.5 in factors.
    expect(least(0.1)).toBeCloseTo(Math.sqrt(25 * 0.5), 1);
    expect(least(0.199)).toBeGreaterThan(0.5);
    expect(least(0.2)).toBe(0);
  });
});

describe('addNoise', () => {
  it('stays within what an 8-bit file holds where it is clipped', () => {
    const clean = Float32Array.from({ length: 5000 }, (_, i) => i / 4999);
    const noisy = new Float32Array(5000);
    addNoise(clean, noisy, 75, true, new Random(1));
    expect(noisy.every(isByte)).toBe(true);
    expect([Math.min(...noisy), Math.max(...noisy)]).toEqual([0, 1]);
  });
});

const isByte = (value: number): boolean =>
  value >= 0 && value <= 1 && Math.abs(255 * value - Math.round(255 * value)) < 1e-4;
