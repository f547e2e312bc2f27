/** The shipped model on what callers send: any scale, heavy tails, integers; and never an answer that is not finite. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFile } from 'node:fs/promises';
import { readNpy } from '../../../src/codecs/npy.ts';
import { amplitudes, type Amplitude } from '../../../src/data/amplitudes.ts';
import { Random } from '../../../src/data/random.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { Problem } from '../../../src/errors.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';

const MODEL = 'sparse-recovery';
const [m, n] = [250, 500];
let engine: Engine;
let matrix: Float32Array | Float64Array;
beforeAll(async () => {
  engine = await startEngine('models', [MODEL]);
  matrix = readNpy(await readFile(`models/${MODEL}/matrix.npy`)).data;
});
afterAll(() => engine.close());

/** Signals with a tenth of the entries drawn by `entry`, and their measurements with noise of this SNR, dB. */
function drawn(entry: (random: Random) => number, snr: number, count = 4) {
  const random = new Random(16);
  return Array.from({ length: count }, () => {
    const signal = Float64Array.from({ length: n }, () => (random.uniform() < 0.1 ? entry(random) : 0)); // prettier-ignore
    const clean = Float64Array.from({ length: m }, (_, i) =>
      signal.reduce((sum, x, j) => sum + matrix[i * n + j]! * x, 0),
    );
    const deviation = Math.sqrt(clean.reduce((sum, y) => sum + y * y, 0) / m / 10 ** (snr / 10));
    return { signal, measurements: clean.map((y) => y + deviation * random.normal()) };
  });
}

/** POST /v1/recover with raw float32. */
const post = (vectors: Float32Array, query: Record<string, string> = {}) =>
  engine.perform(() => ({
    request: {
      task: MODEL,
      contentType: 'application/octet-stream',
      body: new Uint8Array(vectors.buffer),
      options: {},
      stopping: {},
      ...query,
    },
    transfer: [],
  }));

/** NMSE of the answers to c·y against c·x, dB, pooled. */
async function qualityAt(cases: ReturnType<typeof drawn>, scale: number): Promise<number> {
  const sent = new Float32Array(cases.length * m);
  cases.forEach(({ measurements }, i) => sent.set(measurements.map((y) => scale * y), i * m)); // prettier-ignore
  const { answer } = await post(sent);
  const found = new Float32Array(new Uint8Array(answer.body).buffer);
  expect(found.every(Number.isFinite)).toBe(true);
  return nmse.total(
    cases.map(({ signal }, i) =>
      nmse.sample(
        Float32Array.from(found.subarray(i * n, (i + 1) * n), (x) => x / scale),
        Float32Array.from(signal),
      ),
    ),
  );
}

/** Student's t with two degrees of freedom: no variance. */
const student2 = (random: Random): number =>
  random.normal() / Math.sqrt((random.normal() ** 2 + random.normal() ** 2) / 2);

describe('the shipped model', () => {
  it.each(Object.keys(amplitudes) as Amplitude[])('gives c·x for c·y, %s', async (law) => {
    const cases = drawn(amplitudes[law], 40);
    const usual = await qualityAt(cases, 1);
    expect(usual).toBeLessThan(-40);
    for (const scale of [1e-6, 1e-3, 10, 1e3, 1e6])
      expect(Math.abs((await qualityAt(cases, scale)) - usual)).toBeLessThan(0.1);
  });

  it('recovers measurements of 10²⁰', async () => {
    expect(await qualityAt(drawn(amplitudes.normal, 40), 1e20)).toBeLessThan(-40);
  });

  it.each<[string, (random: Random) => number, number, number]>([
    ['Student t of two degrees', student2, 40, -40],
    ['amplitudes of N(5, 1), without noise', (random) => 5 + random.normal(), 300, -44],
    ['integers from 1 to 255', (random) => 1 + random.integer(255), 40, -40],
  ])('recovers %s', async (_, entry, snr, least) => {
    expect(await qualityAt(drawn(entry, snr, 10), 1)).toBeLessThan(least);
  });

  it('answers zeros with zeros', async () => {
    const { answer } = await post(new Float32Array(2 * m));
    expect(new Float32Array(new Uint8Array(answer.body).buffer)).toEqual(new Float32Array(2 * n));
  });

  it('answers the largest numbers with finite ones, or refuses them', async () => {
    const largest = new Float32Array(m).map((_, i) => (i % 2 ? 3.4e38 : -3.4e38));
    const body = await post(largest).then(
      ({ answer }) => new Float32Array(new Uint8Array(answer.body).buffer),
      (error: unknown) => {
        expect(error).toBeInstanceOf(Problem);
        expect((error as Problem).status).toBe(400);
        expect((error as Problem).message).toMatch(/does not fit float32/);
        return new Float32Array(n);
      },
    );
    expect(body.every(Number.isFinite)).toBe(true);
  });
});
