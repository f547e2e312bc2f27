import { describe, expect, it } from 'vitest';
import type { Planes } from '../../../src/codecs/images.ts';
import { Random } from '../../../src/data/random.ts';
import { fillHidden } from '../../../src/tasks/denoise/hidden.ts';

const [W, H] = [40, 30];
const where = (visible: (x: number, y: number) => boolean): Float32Array =>
  Float32Array.from({ length: W * H }, (_, i) => (visible(i % W, Math.floor(i / W)) ? 1 : 0));
const picture = (value: (x: number, y: number, c: number) => number): Planes => ({
  channels: 3,
  width: W,
  height: H,
  data: Float32Array.from({ length: 3 * W * H }, (_, i) =>
    value(i % W, Math.floor(i / W) % H, Math.floor(i / W / H)),
  ),
});
const disc = where((x, y) => (x - 20) ** 2 + (y - 15) ** 2 < 120);

describe('hidden colours', () => {
  it('become visible ones of the same place in every channel, and visible ones stay', () => {
    const random = new Random(1);
    const image = picture(() => random.uniform());
    const before = Float32Array.from(image.data);
    fillHidden(image, disc);
    const pixel = (data: Float32Array, i: number): string =>
      [0, 1, 2].map((c) => data[c * W * H + i]).join();
    const seen = new Set<string>();
    disc.forEach((alpha, i) => alpha > 0 && seen.add(pixel(before, i)));
    disc.forEach((alpha, i) => {
      if (alpha > 0) expect(pixel(image.data, i)).toBe(pixel(before, i));
      else expect(seen).toContain(pixel(image.data, i));
    });
  });

  it('go on with the noise: it is as strong where nothing was seen', () => {
    const random = new Random(2);
    const image = picture(() => 0.5 + 0.1 * random.normal());
    for (let i = 0; i < W * H; i++) if (disc[i] === 0) image.data[i] = 1;
    fillHidden(image, disc);
    /** Root mean square difference of neighbours where both were hidden. */
    let [sum, count] = [0, 0];
    for (let i = 0; i + 1 < W * H; i++) {
      if (disc[i] !== 0 || disc[i + 1] !== 0 || (i + 1) % W === 0) continue;
      sum += (image.data[i + 1]! - image.data[i]!) ** 2;
      count++;
    }
    expect(count).toBeGreaterThan(500);
    expect(Math.sqrt(sum / count)).toBeGreaterThan(0.8 * 0.1 * Math.SQRT2);
  });

  it('go on without a step at a straight edge', () => {
    const half = where((x) => x < 20);
    const image = picture((x) => (x < 20 ? 0.02 * x : 1));
    fillHidden(image, half);
    for (let x = 20; x < 38; x++) expect(image.data[x]).toBeCloseTo(0.02 * (38 - x), 6);
  });

  it('are the one visible pixel where there is only one, and stay where there is none', () => {
    const one = picture((x, y, c) => (x === 3 && y === 4 ? 0.1 * (c + 1) : 0.9));
    fillHidden(
      one,
      where((x, y) => x === 3 && y === 4),
    );
    expect(new Set(one.data)).toEqual(new Set(Float32Array.of(0.1, 0.2, 0.3)));
    const none = picture((x) => x / W);
    const before = Float32Array.from(none.data);
    fillHidden(
      none,
      where(() => false),
    );
    expect(none.data).toEqual(before);
  });
});
