import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { Parameters } from '../../src/families/family.ts';
import { defineNoiseStatistics } from '../../src/families/noise-statistics.ts';
import { toModel } from '../../src/graph/model.ts';
import { input } from '../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';

/** Statistics of one image, in logarithms of energies where pixels are 0 to 255. */
async function statisticsOf(
  data: Float32Array,
  [channels, height, width]: readonly [number, number, number],
): Promise<number[]> {
  const parameters = new Parameters();
  const statistics = defineNoiseStatistics(parameters, channels);
  const image = input('image', ['N', channels, '2*h', '2*w']);
  const weights = new Map(
    [...parameters.all].map(([name, { initial }]) => [name, { data: initial(() => 0) }]),
  );
  const session = await Session.load(toModel({ outputs: { seen: statistics.of(image) }, weights }));
  const { seen } = await session.run({ image: tensor(data, [1, channels, height, width]) });
  const values = [...floats(seen!)];
  await session.release();
  expect(values).toHaveLength(statistics.count);
  return values.map((value) => 4 * value - 8 + 2 * Math.log(255));
}

const noise = (length: number, sigma: number, seed = 1): Float32Array => {
  const data = new Float32Array(length);
  new Random(seed).fillNormal(data, sigma / 255);
  return data.map((value) => value + 0.5);
};

describe('statistics of noise', () => {
  it.each([5, 20, 60])('say σ = %i in a flat image, whatever its size', async (sigma) => {
    for (const [height, width] of [
      [128, 128],
      [96, 300],
    ] as const) {
      const values = await statisticsOf(noise(height * width, sigma), [1, height, width]);
      // Mean energies of the diagonal band and of the second differences.
      expect(Math.exp(values[0]! / 2) / sigma).toBeCloseTo(1, 1);
      expect(Math.exp(values[4]! / 2) / sigma).toBeCloseTo(1, 1);
    }
  });

  it('see noise where the image is flat behind texture elsewhere', async () => {
    const side = 128;
    const data = noise(side * side, 4);
    // Stripes in a quarter of the image: strong in the diagonal band.
    for (let y = 0; y < side / 2; y++)
      for (let x = 0; x < side / 2; x++) data[y * side + x]! += (x + y) % 2 === 0 ? 0.2 : -0.2;
    const [energy, , , flat] = await statisticsOf(data, [1, side, side]);
    expect(Math.exp(energy! / 2)).toBeGreaterThan(25);
    expect(Math.exp(flat! / 2)).toBeLessThan(6);
  });

  it('tell noise that all channels share from noise of their own', async () => {
    const pixels = 96 * 96;
    const common = noise(pixels, 10);
    const shared = new Float32Array([...common, ...common, ...common]);
    const own = noise(3 * pixels, 10);
    const [a, b] = [await statisticsOf(shared, [3, 96, 96]), await statisticsOf(own, [3, 96, 96])];
    expect(a[0]! - b[0]!).toBeCloseTo(0, 0);
    expect(a[8]! - b[8]!).toBeCloseTo(Math.log(3), 0);
  });

  it.each([2, 4, 8])('are finite for an image of %i×%i pixels of one value', async (side) => {
    const values = await statisticsOf(new Float32Array(side * side).fill(1), [1, side, side]);
    for (const value of values) expect(Number.isFinite(value)).toBe(true);
  });
});
