import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeImage } from '../../src/codecs/images.ts';
import { holdOut, readClassFolders } from '../../src/data/class-folders.ts';
import { Random } from '../../src/data/random.ts';

/** A picture of one colour, [r, g, b] in [0,1]. */
const plain = (
  width: number,
  height: number,
  colour: readonly [number, number, number],
): Promise<Uint8Array> => {
  const pixels = width * height;
  const data = Float32Array.from({ length: 3 * pixels }, (_, i) => colour[Math.floor(i / pixels)]!);
  return encodeImage(
    {
      channels: 3,
      width,
      height,
      data,
      format: 'png',
      bits: 8,
      alpha: undefined,
      source: undefined,
    },
    'png',
  );
};
const options = { side: 8, channels: 3 } as const;

describe('readClassFolders', () => {
  let folder: string;
  const put = async (name: string, bytes: Uint8Array | string): Promise<void> => {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), bytes);
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'classes-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('names the classes by their folders, however deep, and brings every image to the side', async () => {
    await put('b/2.png', await plain(20, 9, [0, 0, 1]));
    await put('b/1.png', await plain(8, 8, [0, 1, 0]));
    await put('a/deep/x.png', await plain(3, 3, [1, 0, 0]));
    await put('b/notes.txt', 'no image');
    const { labels, images, classes } = await readClassFolders(folder, options);
    expect(labels).toEqual(['a/deep', 'b']);
    expect(classes).toEqual([0, 1, 1]);
    expect(
      images.map(({ width, height, channels, data }) => [width, height, channels, data.length]),
    ).toEqual(Array.from({ length: 3 }, () => [8, 8, 3, 192]));
    // Red, green, blue: each image has its one plane of ones.
    expect(images.map(({ data }) => [data[0], data[64], data[128]])).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
  });

  it('keeps the classes of a known order, and refuses one that is not among them', async () => {
    await put('a/1.png', await plain(8, 8, [1, 1, 1]));
    await put('c/1.png', await plain(8, 8, [0, 0, 0]));
    const { labels, classes } = await readClassFolders(folder, {
      ...options,
      labels: ['c', 'b', 'a'],
    });
    expect([labels, classes]).toEqual([
      ['c', 'b', 'a'],
      [2, 0],
    ]);
    await expect(readClassFolders(folder, { ...options, labels: ['a', 'b'] })).rejects.toThrow(
      'holds the class c, which is not among',
    );
  });

  it('says what is wrong with a folder that has no classes to tell apart', async () => {
    await expect(readClassFolders(join(folder, 'none'), options)).rejects.toThrow(
      /There is no folder .*none/,
    );
    await expect(readClassFolders(folder, options)).rejects.toThrow('holds no class folder');
    await put('a/1.png', await plain(8, 8, [1, 1, 1]));
    await expect(readClassFolders(folder, options)).rejects.toThrow('holds only one class, a');
    await mkdir(join(folder, 'empty'));
    await expect(readClassFolders(folder, options)).rejects.toThrow(
      /class folder .*empty holds no image/,
    );
    await rm(join(folder, 'empty'), { recursive: true });
    await put('b/broken.png', (await plain(64, 64, [1, 0, 1])).subarray(0, 60));
    await expect(readClassFolders(folder, options)).rejects.toThrow(
      /broken\.png cannot be read as an image/,
    );
    await put('stray.png', await plain(8, 8, [1, 1, 1]));
    await expect(readClassFolders(folder, options)).rejects.toThrow(
      /holds images itself, such as .*stray\.png/,
    );
  });
});

describe('holdOut', () => {
  const image = { channels: 1, width: 1, height: 1, data: new Float32Array(1) } as const;
  const data = (classes: readonly number[]) => ({
    labels: ['a', 'b'],
    classes,
    images: classes.map((_, i) => ({ ...image, width: i })),
  });

  it('takes a share of every class, at least one image, the same for the same seed, and loses none', () => {
    const classes = [...new Array<number>(20).fill(0), ...new Array<number>(3).fill(1)];
    const split = (seed: number) => holdOut(data(classes), 0.25, new Random(seed));
    const { training, held } = split(1);
    expect([0, 1].map((k) => held.classes.filter((value) => value === k).length)).toEqual([5, 1]);
    const numbers = [...training.images, ...held.images]
      .map(({ width }) => width)
      .sort((a, b) => a - b);
    expect(numbers).toEqual(classes.map((_, i) => i));
    expect(training.images.every(({ width }, i) => classes[width] === training.classes[i])).toBe(
      true,
    );
    expect(split(1)).toEqual({ training, held });
    expect(split(2)).not.toEqual({ training, held });
  });

  it('refuses a class of one image', () => {
    expect(() => holdOut(data([0, 0, 1]), 0.5, new Random(1))).toThrow('The class b has one image');
  });
});
