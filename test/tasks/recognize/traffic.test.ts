import { describe, expect, it } from 'vitest';
import type { Planes } from '../../../src/codecs/images.ts';
import type { LabelledImages } from '../../../src/data/class-folders.ts';
import { Random } from '../../../src/data/random.ts';
import { resize } from '../../../src/codecs/resize.ts';
import {
  photographMix,
  recognizeTraffic,
  splitImages,
} from '../../../src/tasks/recognize/traffic.ts';

/** Smooth colours with 8-bit grain. */
const photograph = (seed: number): Planes => {
  const random = new Random(seed);
  const [a, b] = [2 + 4 * random.uniform(), 2 + 4 * random.uniform()];
  return {
    channels: 3,
    width: 32,
    height: 32,
    data: Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => {
      const [x, y, c] = [i % 32, Math.floor(i / 32) % 32, Math.floor(i / 1024)];
      const value = 0.5 + 0.3 * Math.sin(x / a + c) * Math.cos(y / b) + 0.03 * random.normal();
      return Math.round(255 * Math.min(1, Math.max(0, value))) / 255;
    }),
  };
};
const data: LabelledImages = {
  labels: ['ant', 'bee', 'cat'],
  images: Array.from({ length: 300 }, (_, i) => photograph(i)),
  classes: Array.from({ length: 300 }, (_, i) => i % 3),
};
const traffic = recognizeTraffic(data, 'test', 3);
const requests = await Promise.all(Array.from({ length: 600 }, (_, i) => traffic.draw(i)));
const difference = (a: Float32Array, b: Float32Array): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length);

/** The image behind a request: that whose unchanged copy has the same source. */
const originals = new Map(
  requests.flatMap(({ kind, source, sample }) =>
    kind === 'plain' ? [[source, sample.image!.data] as const] : [],
  ),
);

describe('the mix of recognition', () => {
  it('has every kind as often as its weight says', () => {
    for (const { kind, weight } of photographMix) {
      const share = requests.filter((request) => request.kind === kind).length / requests.length;
      expect(Math.abs(share - weight)).toBeLessThan(0.06);
    }
    expect(photographMix.map(({ kind }) => kind)).toHaveLength(4);
  });

  it('shows every image once in as many requests as there are images, with its class', () => {
    for (const from of [0, 300])
      expect(new Set(requests.slice(from, from + 300).map(({ source }) => source)).size).toBe(300);
    const classOf = new Map(requests.map(({ source, truth }) => [source, truth[0]]));
    for (const { source, truth } of requests)
      expect(truth).toEqual(Float32Array.of(classOf.get(source)!));
    for (const { kind, sample, truth } of requests) {
      if (kind !== 'plain') continue;
      const which = data.images.findIndex((image) => image.data === sample.image!.data);
      expect(truth[0]).toBe(which % 3);
    }
  });

  it('leaves the size, and changes what the kind says', () => {
    for (const { kind, source, sample } of requests.slice(0, 150)) {
      const { data: shown, dims } = sample.image!;
      expect(dims).toEqual([3, 32, 32]);
      const original = originals.get(source);
      if (!original || kind === 'plain') continue;
      const away = difference(shown, original);
      expect(away).toBeGreaterThan(0.001);
      expect(away).toBeLessThan(0.2);
      if (kind !== 'half resolution') continue;
      const half = resize({ channels: 3, width: 32, height: 32, data: original }, 16, 16);
      expect(shown).toEqual(resize(half, 32, 32).data);
    }
  });

  it('tilts either way', () => {
    const turned = new Set<number>();
    const tilt = photographMix.find(({ kind }) => kind === 'tilted')!;
    // A ramp that falls to the right: its vertical slope tells the way.
    const ramp: Planes = {
      channels: 1,
      width: 32,
      height: 32,
      data: Float32Array.from({ length: 1024 }, (_, i) => (i % 32) / 32),
    };
    const angles = Array.from({ length: 200 }, (_, i) => {
      const { data: result } = tilt.change(ramp, new Random(i)) as Planes;
      const slope = (result[20 * 32 + 16]! - result[12 * 32 + 16]!) / 8;
      turned.add(Math.sign(slope));
      return (Math.asin(32 * slope) * 180) / Math.PI;
    });
    expect(turned).toEqual(new Set([-1, 1]));
    expect(Math.max(...angles.map(Math.abs))).toBeLessThan(10.01);
    expect(Math.max(...angles)).toBeGreaterThan(9);
  });
});

describe('requests', () => {
  it('depend on part, seed and number alone', async () => {
    expect(await recognizeTraffic(data, 'test', 3).draw(77)).toEqual(requests[77]);
    expect(await recognizeTraffic(data, 'test', 4).draw(77)).not.toEqual(requests[77]);
    expect(await recognizeTraffic(data, 'selection', 3).draw(77)).not.toEqual(requests[77]);
  });

  it('of the parts share no image, and copies of an image are in one part', () => {
    const copies = {
      ...data,
      images: [...data.images, ...data.images.map((image) => ({ ...image }))],
    };
    const split = splitImages({ ...copies, classes: [...data.classes, ...data.classes] });
    const owners = new Map<string, Set<string>>();
    for (const [part, { images, classes, labels }] of Object.entries(split)) {
      expect(labels).toBe(data.labels);
      expect(classes).toHaveLength(images.length);
      for (const image of images) {
        const key = image.data.subarray(0, 50).join();
        owners.set(key, (owners.get(key) ?? new Set()).add(part));
      }
    }
    expect(owners.size).toBe(300);
    for (const part of owners.values()) expect(part.size).toBe(1);
    expect(Math.abs(split.training.images.length / 600 - 0.8)).toBeLessThan(0.08);
    expect(split.selection.images.length).toBeGreaterThan(20);
    expect(split.certification.images.length).toBeGreaterThan(20);
    expect(split.test.images).toHaveLength(0);
  });
});
