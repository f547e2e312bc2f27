import { describe, expect, it } from 'vitest';
import { drawCharacters } from '../../../src/data/characters.ts';
import type { LabelledImages } from '../../../src/data/class-folders.ts';
import { Random } from '../../../src/data/random.ts';
import {
  drawCanvases,
  drawingMix,
  fewShotTraffic,
  splitClasses,
  varyDrawings,
  type FewShotRequest,
  type FewShotTraffic,
} from '../../../src/tasks/few-shot/traffic.ts';

const SIDE = 12;
const characters = drawCharacters(6, 30, 28, new Random(1));
/** One pixel an image, so that thousands of tasks are drawn at once. */
const pixels: LabelledImages = {
  labels: Array.from({ length: 30 }, (_, k) => `class ${k}`),
  images: Array.from({ length: 30 * 23 }, (_, i) => ({
    channels: 1 as const,
    width: 1,
    height: 1,
    data: Float32Array.of(i),
  })),
  classes: Array.from({ length: 30 * 23 }, (_, i) => Math.floor(i / 23)),
};
const drawings: FewShotTraffic = { style: 'drawings', side: SIDE, queries: 3, turns: false };
const photographs: FewShotTraffic = { style: 'photographs', side: 1, queries: 3, turns: false };

const drawMany = (
  images: LabelledImages,
  traffic: FewShotTraffic,
  count: number,
): Promise<FewShotRequest[]> => {
  const { draw } = fewShotTraffic(images, 'selection', 5, traffic);
  return Promise.all(Array.from({ length: count }, (_, i) => draw(i)));
};
const mean = (values: Iterable<number>): number => {
  const all = [...values];
  return all.reduce((sum, value) => sum + value, 0) / all.length;
};

describe('the tasks of few-shot traffic', () => {
  it('have 2 to 20 classes, and 1 to 20 images of each by itself, at most 256 in all', async () => {
    const requests = await drawMany(pixels, photographs, 1000);
    const ways = requests.map((request) => request.ways);
    expect(new Set(ways).size).toBe(19);
    expect([Math.min(...ways), Math.max(...ways)]).toEqual([2, 20]);
    const shots = requests.flatMap((request) => request.shots);
    expect([Math.min(...shots), Math.max(...shots)]).toEqual([1, 20]);
    // Uniform up to a bound that is uniform: P(1) = Σ 1/(20 b), a little more with the smaller bounds of many classes.
    const ones = shots.filter((count) => count === 1).length / shots.length;
    expect(ones).toBeGreaterThan(0.17);
    expect(ones).toBeLessThan(0.29);
    const sums = requests.map((request) => request.shots.reduce((a, b) => a + b, 0));
    expect(Math.max(...sums)).toBeLessThanOrEqual(256);
    const most = (from: number, to: number): number =>
      Math.max(
        ...requests.flatMap(({ ways: k, shots: each }) => (k >= from && k <= to ? each : [])),
      );
    expect([most(2, 12), most(20, 20)]).toEqual([20, 12]);
    const unequal = requests.filter((request) => new Set(request.shots).size > 1).length;
    expect(unequal / requests.length).toBeGreaterThan(0.85);
    requests.forEach(({ sample, truth, shots: each }, i) => {
      expect(sample.support!.dims).toEqual([sums[i], 1, 1, 1]);
      expect(sample.labels!.dims).toEqual([sums[i], each.length]);
      expect(sample.query!.dims).toEqual([3 * each.length, 1, 1, 1]);
      expect(truth).toHaveLength(3 * each.length);
    });
  });

  it('label support and queries by the same classes, and ask about other images', async () => {
    for (const { sample, truth, ways } of await drawMany(pixels, photographs, 20)) {
      const { support, labels, query } = sample;
      const classOf = (pixel: number): number => Math.floor(pixel / 23);
      const owners = new Map<number, number>();
      support!.data.forEach((pixel, i) =>
        owners.set(classOf(pixel), labels!.data.subarray(i * ways, (i + 1) * ways).indexOf(1)),
      );
      expect(owners.size).toBe(ways);
      query!.data.forEach((pixel, q) => {
        expect(owners.get(classOf(pixel))).toBe(truth[q]);
        expect(support!.data).not.toContain(pixel);
      });
    }
  });

  it('take as many images and classes as there are', async () => {
    const few = drawCharacters(4, 9, 8, new Random(2));
    const requests = await drawMany(few, { ...photographs, side: 8 }, 100);
    expect(Math.max(...requests.map(({ ways }) => ways))).toBe(4);
    expect(Math.max(...requests.flatMap(({ shots }) => shots))).toBe(6);
  });

  it('depend on part, seed and number alone', async () => {
    const draw = (part: 'selection' | 'test', seed: number) =>
      fewShotTraffic(characters, part, seed, drawings).draw(4);
    expect(await draw('selection', 5)).toEqual(await draw('selection', 5));
    expect(await draw('selection', 6)).not.toEqual(await draw('selection', 5));
    expect(await draw('test', 5)).not.toEqual(await draw('selection', 5));
  });
});

describe('the mix of drawings', () => {
  it('has every kind as often as its weight says, and no kind of photographs', async () => {
    const one = { ...drawings, side: 1, prepare: () => pixels.images[0]! };
    const small = drawCharacters(2, 2, 2, new Random(3));
    const requests = await drawMany(small, { ...one, queries: 1 }, 400);
    for (const { kind, weight } of drawingMix) {
      const share = requests.filter((request) => request.kind === kind).length / requests.length;
      expect(Math.abs(share - weight)).toBeLessThan(0.06);
    }
    expect(drawingMix.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9);
    const others = await drawMany(small, { ...photographs, side: 2, queries: 1 }, 5);
    expect(new Set(others.map(({ kind }) => kind))).toEqual(new Set(['photographs']));
  });

  it('leaves plain drawings and photographs as they are', async () => {
    const asked = new Set<number>();
    const watched: FewShotTraffic = {
      ...drawings,
      side: 28,
      prepare(posted) {
        asked.add(posted.width);
        return posted;
      },
    };
    const plain = drawingMix.find(({ kind }) => kind === 'plain')!;
    const canvas = drawCanvases(plain, new Random(1));
    expect(canvas(characters.images[0]!)).toBe(characters.images[0]);
    await fewShotTraffic(characters, 'test', 1, { ...watched, style: 'photographs' }).draw(0);
    expect(asked).toEqual(new Set([28]));
  });

  /** Canvases of ten tasks of a kind, and whether each has light ink on dark paper. */
  const canvases = (kind: string) =>
    Array.from({ length: 10 }, (_, task) => {
      const random = new Random(task);
      const draw = drawCanvases(
        drawingMix.find((row) => row.kind === kind)!,
        random,
      );
      return characters.images.slice(0, 12).map((image) => {
        const { data, width } = draw(image);
        const light = mean(data) < 0.5;
        return { ink: light ? data : data.map((value) => 1 - value), width, light };
      });
    });

  it.each([
    ['plain', [0], false],
    ['light ink', [1], false],
    ['pens', [0, 1], false],
    ['placed', [0, 1], false],
    ['mixed', [0, 1], true],
  ] as const)('%s: the polarities %j, within a task: %s', (kind, polarities, within) => {
    const tasks = canvases(kind);
    const shares = tasks.map((task) => mean(task.map(({ light }) => (light ? 1 : 0))));
    expect([...new Set(tasks.flat().map(({ light }) => (light ? 1 : 0)))].sort()).toEqual(
      polarities,
    );
    expect(shares.some((share) => share > 0 && share < 1)).toBe(within);
  });

  it('puts whole drawings of any size anywhere on the canvas', () => {
    const places = canvases('placed')
      .flat()
      .map(({ ink, width }) => {
        const drawn = [...ink.keys()].filter((i) => ink[i]! > 0.1);
        expect(drawn.length).toBeGreaterThan(0);
        const xs = drawn.map((i) => i % width);
        const ys = drawn.map((i) => Math.floor(i / width));
        return {
          ink: ink.reduce((sum, value) => sum + value, 0),
          x: (Math.min(...xs) + Math.max(...xs)) / 2 / width,
          y: (Math.min(...ys) + Math.max(...ys)) / 2 / width,
          size: Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)),
        };
      });
    for (const axis of ['x', 'y'] as const) {
      const centers = places.map((place) => place[axis]);
      expect(Math.min(...centers)).toBeLessThan(0.25);
      expect(Math.max(...centers)).toBeGreaterThan(0.75);
    }
    const sizes = places.map(({ size }) => size / 84);
    expect(Math.min(...sizes)).toBeLessThan(0.3);
    expect(Math.max(...sizes)).toBeGreaterThan(0.6);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1);
    expect(Math.min(...places.map(({ ink }) => ink))).toBeGreaterThan(10);
  });

  it('draws with thinner and thicker pens, all with ink left', () => {
    const plain = canvases('plain')[0]!.map(({ ink }) => mean(ink));
    const ratios = canvases('pens').flatMap((task) =>
      task.map(({ ink }, i) => mean(ink) / plain[i]!),
    );
    expect(Math.min(...ratios)).toBeLessThan(0.9);
    expect(Math.min(...ratios)).toBeGreaterThan(0.3);
    expect(Math.max(...ratios)).toBeGreaterThan(1.7);
  });
});

describe('the parts', () => {
  it('share no class', () => {
    const names = pixels.labels.length;
    const split = splitClasses(pixels, { training: 2, selection: 1, certification: 1 });
    const labels = Object.values(split).flatMap((part) => part.labels);
    expect(labels).toHaveLength(names);
    expect(new Set(labels).size).toBe(names);
    expect(split.test.labels).toHaveLength(0);
    for (const part of ['training', 'selection', 'certification'] as const) {
      expect(split[part].labels.length).toBeGreaterThan(2);
      split[part].images.forEach(({ data }, i) => {
        expect(split[part].labels[split[part].classes[i]!]).toBe(
          `class ${Math.floor(data[0]! / 23)}`,
        );
      });
    }
  });

  it('vary by task in training: dark ink in some, light ink in others', () => {
    const random = new Random(2);
    const papers = Array.from({ length: 12 }, () => {
      const vary = varyDrawings({ side: SIDE })(random);
      return mean(vary(characters.images[0]!)) > 0.5;
    });
    expect(new Set(papers)).toEqual(new Set([true, false]));
  });
});
