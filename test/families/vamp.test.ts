import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { measurementMatrix, SignalSampler } from '../../src/data/sparse-recovery.ts';
import { singularValues } from '../../src/families/matrix.ts';
import { defaultVamp, defineVamp } from '../../src/families/vamp.ts';
import { toModel } from '../../src/graph/model.ts';
import { input } from '../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../src/runtime/session.ts';
import type { Family } from '../../src/families/family.ts';
import { unroll } from '../../src/training/unroll.ts';
import { initialWeights, toConstants, type Weights } from '../../src/training/weights.ts';
import { smallMatrix } from '../support/small.ts';

const DEPTH = 3;
const family = defineVamp({ ...defaultVamp, matrix: smallMatrix, depth: DEPTH });
const { rows: m, columns: n } = smallMatrix;

/** The signal after each layer and the logit of each exit, from the graph. */
async function fromGraph(
  weights: Weights,
  measurements: Float32Array,
  of: Family = family,
): Promise<{ signals: Float32Array[]; logits: number[] }> {
  const { outputs, logits } = unroll(of, {
    measurements: input('measurements', ['N', measurements.length]),
  });
  const named = Object.fromEntries([
    ...outputs.map(({ signal }, i) => [`signal-${i}`, signal!] as const),
    ...logits.map((logit, i) => [`logit-${i}`, logit] as const),
  ]);
  const session = await Session.load(
    toModel({
      outputs: named,
      weights: toConstants(weights),
    }),
  );
  const found = await session.run({ measurements: tensor(measurements, [1, measurements.length]) });
  await session.release();
  return {
    signals: outputs.map((_, i) => Float32Array.from(floats(found[`signal-${i}`]!))),
    logits: logits.map((_, i) => floats(found[`logit-${i}`]!)[0]!),
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/** A perceptron of one hidden layer. */
function perceptron(
  features: readonly number[],
  weights: Weights,
  name: (part: string) => string,
): number[] {
  const [w1, b1, w2, b2] = ['w1', 'b1', 'w2', 'b2'].map((part) => [
    ...weights.get(name(part))!,
  ]) as [number[], number[], number[], number[]];
  const hidden = b1.map((b, j) =>
    Math.max(
      0,
      features.reduce((sum, x, i) => sum + x * w1[i * b1.length + j]!, b),
    ),
  );
  return b2.map((b, j) => hidden.reduce((sum, x, i) => sum + x * w2[i * b2.length + j]!, b));
}

const TINY = 1e-12;

/** The matrix with columns of unit norm, in the mean square, and its factor. */
function unitMatrix(): { matrix: typeof smallMatrix; unit: number } {
  const unit = Math.sqrt([...smallMatrix.data].reduce((sum, a) => sum + a * a, 0) / n);
  return { matrix: { ...smallMatrix, data: smallMatrix.data.map((a) => a / unit) }, unit };
}

/** The same by the formulas of VAMP, in plain numbers. */
function byHand(
  weights: Weights,
  measurements: Float32Array,
): { signals: number[][]; logits: number[] } {
  const { matrix, unit } = unitMatrix();
  const { left, values, right } = singularValues(matrix);
  const k = values.length;
  const s = [...values];
  const size = Math.sqrt(mean([...measurements].map((y) => y * y)));
  const rotated = s.map((_, i) =>
    measurements.reduce((sum, b, row) => sum + (b / size) * left[row * k + i]!, 0),
  );
  const v = (x: readonly number[]): number[] =>
    s.map((_, i) => x.reduce((sum, value, j) => sum + value * right[i * n + j]!, 0));
  const vt = (z: readonly number[]): number[] =>
    Array.from({ length: n }, (_, j) =>
      z.reduce((sum, value, i) => sum + value * right[i * n + j]!, 0),
    );
  let prediction = new Array<number>(n).fill(0);
  let variance = mean(rotated.map((z) => z * z)) / mean(s.map((x) => x * x));
  let noise = 1e-3 * mean(rotated.map((z) => z * z));
  let odds = 0.05 / 0.95;
  let slab = variance / 0.05;
  let before: number | undefined;
  const signals: number[][] = [];
  const logits: number[] = [];
  for (let t = 1; t <= DEPTH; t++) {
    const seenRotated = v(prediction);
    const residual = rotated.map((z, i) => z - s[i]! * seenRotated[i]!);
    const bands = Array.from({ length: 4 }, (_, b) =>
      mean(
        residual.slice(Math.round((b * k) / 4), Math.round(((b + 1) * k) / 4)).map((z) => z * z),
      ),
    );
    const features = [
      ...bands.map((band) => Math.log(band / variance)),
      Math.log(noise / variance),
      Math.log(odds),
      Math.log(slab / variance),
      0.3 * Math.log(variance),
    ];
    const found = perceptron(features.map((x) => x / 2), weights, (part) => `layer-${t}-levels-${part}`).map(Math.exp); // prettier-ignore
    variance *= found[0]!;
    noise *= found[1]!;
    odds *= found[3]!;
    slab *= found[4]!;
    before ??= variance;
    const gain = s.map((x) => (x * x * variance) / (x * x * variance + noise));
    const share = (mean(gain) * k) / n;
    const step = vt(gain.map((g, i) => (g * residual[i]!) / s[i]! / share));
    const seen = prediction.map((x, j) => x + step[j]!);
    const error = (variance * (1 - share)) / share;
    // Expectation maximisation: the posterior mean square of the noise.
    noise = mean(residual.map((z, i) => ((1 - gain[i]!) * z) ** 2 + gain[i]! * noise));
    const level = error * found[2]!;
    const within = (slab * level) / (level + slab);
    const parts = seen.map((x) => {
      const likely =
        odds *
        Math.sqrt(level / (level + slab)) *
        Math.exp((0.5 * x * x * slab) / (level * (level + slab)));
      const active = likely / (1 + likely);
      const ifActive = (x * slab) / (level + slab);
      return {
        mean: active * ifActive,
        active,
        square: active * (ifActive * ifActive + within),
      };
    });
    const signal = parts.map((part) => part.mean);
    const uncertainty = mean(parts.map((part) => part.square - part.mean ** 2));
    const sparsity = mean(parts.map((part) => part.active));
    const slope = Math.max(Math.min(uncertainty / error, 0.95), 1e-4);
    prediction = signal.map((x, j) => (x - slope * seen[j]!) / (1 - slope));
    variance = (error * slope) / (1 - slope);
    odds = sparsity / (1 - sparsity);
    slab = mean(parts.map((part) => part.square)) / sparsity;
    signals.push(signal.map((x) => (x * size) / unit));
    if (t === DEPTH) break;
    const [u, b, e, w, o, a] = [uncertainty, before, variance, noise, odds, slab].map((x) =>
      Math.log(x + TINY),
    ) as [number, number, number, number, number, number];
    const seenByPolicy = [u - b, (e - u) / 2, (w - u) / 2, o / 2, a / 2, 0.15 * u];
    logits.push(perceptron(seenByPolicy, weights, (part) => `policy-${t}-${part}`)[0]!);
    before = uncertainty;
  }
  return { signals, logits };
}

describe('unfolded VAMP', () => {
  it('is what its formulas say, with weights that change everything', async () => {
    const random = new Random(17);
    const weights = initialWeights(family, random.normal);
    for (const [name, { role }] of family.parameters) {
      if (role !== 'constant')
        weights.get(name)!.forEach((value, i, data) => (data[i] = value + 0.2 * random.normal()));
    }
    for (const snr of [10, 30]) {
      const { measurements } = new SignalSampler(smallMatrix, random, 1, {
        sparsity: 0.2,
        snr: [snr],
      }).next();
      const graph = await fromGraph(weights, measurements);
      const hand = byHand(weights, measurements);
      graph.signals.forEach((signal, t) =>
        signal.forEach((x, j) => expect(Math.abs(x - hand.signals[t]![j]!)).toBeLessThan(1e-4)),
      );
      graph.logits.forEach((logit, t) =>
        expect(Math.abs(logit - hand.logits[t]!)).toBeLessThan(1e-3),
      );
    }
  });

  it('gives zeros, not NaN, for measurements that are zero', async () => {
    const { signals, logits } = await fromGraph(
      initialWeights(family, new Random(1).normal),
      new Float32Array(m),
    );
    for (const signal of signals) expect([...signal].every((x) => x === 0)).toBe(true);
    for (const logit of logits) expect(Number.isFinite(logit)).toBe(true);
  });
});

describe('unfolded VAMP of entries that differ in size', () => {
  const matrix = measurementMatrix(4, 6, new Random(4));
  const scales = Float32Array.of(3, 2, 1, 0.5, 0.2, 0.1);
  const scaled = defineVamp({ ...defaultVamp, matrix, depth: 2, scales });

  it('begins as the linear estimate of normal signals, A told their sizes, where every entry is certain to be active', async () => {
    const weights = initialWeights(scaled, new Random(1).normal);
    weights.get('layer-1-log-odds')!.fill(30);
    weights.get('layer-1-log-slab')!.fill(0);
    const measurements = Float32Array.of(0.4, -1, 0.7, 0.2);
    const { signals, logits } = await fromGraph(weights, measurements, scaled);
    const told = matrix.data.map((a, i) => a * scales[i % 6]!);
    const unit = Math.sqrt(told.reduce((sum, a) => sum + a * a, 0) / 6);
    const size = Math.sqrt(mean([...measurements].map((y) => y * y)));
    // Every entry with its unbiased step and that step's error is back at the linear estimate, for a prior variance of one;
    // what the layer takes for the signal's variance and the noise's is its first guess.
    const { left, values, right } = singularValues({
      ...matrix,
      data: told.map((a) => a / unit),
    });
    const rotated = [...values].map((_, i) =>
      measurements.reduce((sum, b, row) => sum + (b / size) * left[row * 4 + i]!, 0),
    );
    const total = mean(rotated.map((z) => z * z));
    const [variance, noise] = [total / mean([...values].map((s) => s * s)), 1e-3 * total];
    for (let j = 0; j < 6; j++) {
      let [step, share] = [0, 0];
      values.forEach((s, i) => {
        const inverse = 1 / (s * s + noise / variance);
        step += inverse * s * right[i * 6 + j]! * rotated[i]!;
        share += inverse * (s * right[i * 6 + j]!) ** 2;
      });
      const error = variance * (1 / share - 1);
      const normalised = (step / share) * (1 / (1 + error));
      expect(signals[0]![j]).toBeCloseTo((scales[j]! * normalised * size) / unit, 4);
    }
    expect(logits.every(Number.isFinite)).toBe(true);
  });

  it('has a prior for every entry', async () => {
    const weights = initialWeights(scaled, new Random(1).normal);
    const measurements = Float32Array.of(0.4, -1, 0.7, 0.2);
    const before = (await fromGraph(weights, measurements, scaled)).signals[0]!;
    weights.get('layer-1-log-odds')![2] = -30;
    const after = (await fromGraph(weights, measurements, scaled)).signals[0]!;
    after.forEach((value, j) => expect(value).toBeCloseTo(j === 2 ? 0 : before[j]!, 6));
    expect(Math.abs(before[2]!)).toBeGreaterThan(1e-3);
  });
});
