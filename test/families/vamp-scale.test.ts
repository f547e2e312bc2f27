/** Unfolded VAMP for measurements and matrices of any scale and kind. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { measurementMatrix, SignalSampler, type Matrix } from '../../src/data/sparse-recovery.ts';
import { nmse } from '../../src/evaluation/metrics.ts';
import { defaultVamp, defineVamp } from '../../src/families/vamp.ts';
import { toModel } from '../../src/graph/model.ts';
import { input, sigmoid } from '../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import { unroll } from '../../src/training/unroll.ts';
import { initialWeights, toConstants } from '../../src/training/weights.ts';

const DEPTH = 12;
const COUNT = 20;

interface Recovered {
  readonly signals: Float32Array;
  readonly pi: Float32Array;
}

/** An untrained network for the matrix; `recover` gives the last layer's signals [N,n] and π of the exit before. */
async function networkFor(matrix: Matrix) {
  const family = defineVamp({ ...defaultVamp, matrix, depth: DEPTH, exits: [4, 8, DEPTH] });
  const { outputs, logits } = unroll(family, { measurements: input('measurements', ['N', matrix.rows]) }); // prettier-ignore
  const model = toModel({
    outputs: { signal: outputs.at(-1)!.signal!, pi: sigmoid(logits.at(-1)!) },
    weights: toConstants(initialWeights(family, new Random(1).normal)),
  });
  const session = await Session.load(model);
  return async (measurements: Float32Array, count = COUNT): Promise<Recovered> => {
    const feeds = { measurements: tensor(measurements, [count, matrix.rows]) };
    const { signal, pi } = await session.run(feeds);
    return { signals: Float32Array.from(floats(signal!)), pi: Float32Array.from(floats(pi!)) };
  };
}

const drawn = (matrix: Matrix, sparsity = 0.1, snr = 40) =>
  new SignalSampler(matrix, new Random(5), COUNT, { sparsity, snr }).next();
const quality = (found: Float32Array, truth: Float32Array): number =>
  nmse.total([nmse.sample(found, truth)]);
const times = (values: Float32Array, factor: number): Float32Array =>
  values.map((value) => value * factor);

const matrix = measurementMatrix(60, 120, new Random(3));

describe('the scale of measurements', async () => {
  const recover = await networkFor(matrix);
  const { measurements, signals } = drawn(matrix);
  const plain = await recover(measurements);

  it('is recovered to begin with', () => {
    expect(quality(plain.signals, signals)).toBeLessThan(-35);
  });

  it.each([1e-30, 1e-6, 1e-3, 10, 1e6, 1e20, 1e30])('%f only multiplies the answer', async (c) => {
    const scaled = await recover(times(measurements, c));
    expect(quality(times(scaled.signals, 1 / c), plain.signals)).toBeLessThan(-80);
    scaled.pi.forEach((pi, i) => expect(Math.abs(pi - plain.pi[i]!)).toBeLessThan(1e-3));
  });

  it('of zero is answered with zeros, beside others in the batch', async () => {
    const some = measurements.slice();
    some.fill(0, 0, matrix.rows);
    const found = await recover(some);
    expect(found.signals.subarray(0, matrix.columns).every((x) => x === 0)).toBe(true);
    expect(found.pi.every(Number.isFinite)).toBe(true);
    const rest = matrix.columns;
    expect(quality(found.signals.subarray(rest), plain.signals.subarray(rest))).toBeLessThan(-90);
  });
});

const random = new Random(8);
const from = (rows: number, columns: number, entry: (i: number, j: number) => number): Matrix => ({
  rows,
  columns,
  data: Float32Array.from({ length: rows * columns }, (_, at) =>
    entry(Math.floor(at / columns), at % columns),
  ),
});
const gaussian = from(60, 120, () => random.normal());
const frequencies = Array.from({ length: 120 }, (_, i) => ({ i, key: random.uniform() }))
  .sort((a, b) => a.key - b.key)
  .slice(0, 60)
  .map(({ i }) => i);

describe('matrices', () => {
  it.each([1e-8, 1e-4, 1e4])('of scale %f give the same network', async (scale) => {
    const scaled = { ...matrix, data: times(matrix.data, scale) };
    const { measurements, signals } = drawn(matrix);
    const usual = await (await networkFor(matrix))(measurements);
    const found = await (await networkFor(scaled))(times(measurements, scale));
    expect(Math.abs(quality(found.signals, signals) - quality(usual.signals, signals))).toBeLessThan(0.1); // prettier-ignore
  });

  it.each<[string, Matrix]>([
    ['±1', from(60, 120, () => (random.uniform() < 0.5 ? -1 : 1))],
    ['a partial cosine transform', from(60, 120, (i, j) => Math.cos((Math.PI * frequencies[i]! * (2 * j + 1)) / 240))], // prettier-ignore
    ['square', from(60, 60, () => random.normal())],
    ['tall', from(90, 60, () => random.normal())],
    ['with rows that repeat', from(60, 120, (i, j) => gaussian.data[(i % 50) * 120 + j]!)],
  ])('%s is recovered', async (_, of) => {
    const { measurements, signals } = drawn(of, 0.05);
    const { signals: found, pi } = await (await networkFor(of))(measurements);
    expect(quality(found, signals)).toBeLessThan(-25);
    expect(pi.every((value) => value >= 0 && value <= 1)).toBe(true);
  });

  it.each<[string, Matrix]>([
    ['of rank one', from(8, 16, (i, j) => (i + 1) * (j - 7.5))],
    ['with columns that are zero', from(12, 24, (_, j) => (j % 4 === 0 ? 0 : random.normal()))],
    ['with columns that repeat', from(12, 24, (i, j) => gaussian.data[i * 120 + (j % 12)]!)],
    ['of one row', from(1, 5, () => random.normal())],
    ['of one column', from(5, 1, () => random.normal())],
    ['of one entry', from(1, 1, () => -3)],
    ['of two rows and three columns', from(2, 3, (i, j) => (j === 2 || i === j ? 1 : 0))],
  ])('%s gives finite answers', async (_, of) => {
    const { measurements } = drawn(of, 0.2, 30);
    const { signals, pi } = await (await networkFor(of))(measurements);
    expect(signals.every(Number.isFinite)).toBe(true);
    expect(pi.every((value) => value >= 0 && value <= 1)).toBe(true);
  });

  it('of zeros are refused', () => {
    expect(() => defineVamp({ ...defaultVamp, matrix: from(8, 16, () => 0) })).toThrow(/is zero/);
  });
});
