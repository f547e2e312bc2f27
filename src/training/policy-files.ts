/** Stage II on a finished network: policies in files of their own, whose segments stay as they are. */
import type { ExitFile, Manifest } from '../bundle/manifest.ts';
import { Random } from '../data/random.ts';
import { Parameters } from '../families/family.ts';
import { definePerceptron } from '../families/perceptron.ts';
import { toModel } from '../graph/model.ts';
import { div, input, reshape, sigmoid, slice, sub } from '../graph/operators.ts';
import { Session, floats, tensor, type Tensors } from '../runtime/session.ts';
import { at } from '../util/at.ts';
import { featuresOf, readableAt, type Traced } from './frozen.ts';
import { parametersOf, stageTwoOf, type StageTwoConfig } from './stages.ts';
import { Trainer } from './trainer.ts';
import { initialWeights, toConstants } from './weights.ts';

/** How the policies are trained. */
export interface PolicyOptions extends StageTwoConfig {
  readonly hidden: number;
  readonly seed: number;
  /** The samples to train on, by row. */
  readonly rows: readonly number[];
  onStep(step: number): void;
}

/** Policies at every exit but the last. */
export interface Policies {
  readonly entries: readonly ExitFile[];
  readonly contents: ReadonlyMap<string, Uint8Array>;
  /** π of every sample at every exit but the last. */
  readonly pi: readonly Float32Array[];
}

const BATCH = 256;

/** Trains a perceptron on the standardised features of each exit towards the oracle of the losses, as Stage II does. */
export async function trainPolicies(
  manifest: Manifest,
  traced: readonly Traced[],
  options: PolicyOptions,
): Promise<Policies> {
  const { rows, hidden, seed, steps } = options;
  const random = new Random(seed);
  const parameters = new Parameters();
  const early = traced.slice(0, -1);
  const heads = early.map(({ exit, width }) => definePerceptron(parameters, exit, width, hidden));
  const scales = early.map((one) => scaleOf(one, rows));
  const weights = initialWeights({ parameters: parameters.all }, random.normal);
  const logits = early.map(({ exit, width }, i) =>
    at(heads, i)(input(`seen-${exit}`, ['N', width])),
  );
  const table = input('losses', ['N', traced.length]);
  const total = at(traced, traced.length - 1).ms;
  const stage = stageTwoOf(
    { parameters: parameters.all },
    {
      losses: traced.map((_, t) => reshape(slice(table, 1, t, t + 1), ['N'])),
      logits,
      costs: traced.map(({ ms }) => ms / total),
    },
    options,
    {
      next: () =>
        batchOf(
          traced,
          scales,
          Array.from({ length: BATCH }, () => random.item(rows)),
        ),
    },
  );
  const learn = parametersOf({ parameters: parameters.all }, 'policy');
  const trainer = await Trainer.create({ loss: stage.loss, learn, weights, threads: 1 });
  for (let step = 0; step < steps; step++) {
    await trainer.step(stage.batch(step / steps), stage.rate(step / steps));
    options.onStep(step + 1);
  }
  trainer.store();
  await trainer.release();
  const constants = toConstants(weights);
  early.forEach(({ exit, width }, i) => {
    const { mean, deviation } = at(scales, i);
    constants.set(`mean-${exit}`, { data: mean });
    constants.set(`deviation-${exit}`, { data: deviation });
    if (mean.length !== width) throw new Error('the features changed');
  });
  const entries = early.map(({ exit }) => ({
    file: `policy-${String(exit).padStart(2, '0')}.onnx`,
    exit,
    reads: readableAt(manifest, exit).map(({ name }) => name),
  }));
  const contents = new Map<string, Uint8Array>();
  const pi: Float32Array[] = [];
  for (const [i, { exit, width }] of early.entries()) {
    const outputs = manifest.outputs.map(({ name }) => name);
    const features = featuresOf(readableAt(manifest, exit), outputs);
    const mean = input(`mean-${exit}`, [width]);
    const seen = div(sub(features, mean), input(`deviation-${exit}`, [width]));
    const graph = { outputs: { pi: sigmoid(at(heads, i)(seen)) }, weights: constants };
    contents.set(at(entries, i).file, toModel(graph));
    pi.push(await run(at(logits, i), constants, at(traced, i), at(scales, i)));
  }
  return { entries, contents, pi };
}

interface Scale {
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
}

function scaleOf({ width, features }: Traced, rows: readonly number[]): Scale {
  const mean = new Float32Array(width);
  const deviation = new Float32Array(width);
  for (let k = 0; k < width; k++) {
    const values = rows.map((row) => at(features, row * width + k));
    const centre = values.reduce((a, b) => a + b, 0) / values.length;
    const spread = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length;
    mean[k] = centre;
    // What does not vary says nothing; it must not be blown up either.
    deviation[k] = Math.max(Math.sqrt(spread), 1e-3);
  }
  return { mean, deviation };
}

function batchOf(
  traced: readonly Traced[],
  scales: readonly Scale[],
  rows: readonly number[],
): Tensors {
  const losses = Float32Array.from(rows.flatMap((row) => traced.map((one) => at(one.losses, row))));
  const seen = scales.map(
    (scale, i) => [`seen-${at(traced, i).exit}`, standardised(at(traced, i), scale, rows)] as const,
  );
  return { losses: tensor(losses, [rows.length, traced.length]), ...Object.fromEntries(seen) };
}

function standardised(
  { width, features }: Traced,
  { mean, deviation }: Scale,
  rows: readonly number[],
) {
  const data = Float32Array.from({ length: rows.length * width }, (_, i) => {
    const k = i % width;
    const row = at(rows, Math.floor(i / width));
    return (at(features, row * width + k) - at(mean, k)) / at(deviation, k);
  });
  return tensor(data, [rows.length, width]);
}

async function run(
  logit: ReturnType<typeof input>,
  weights: ReturnType<typeof toConstants>,
  one: Traced,
  scale: Scale,
): Promise<Float32Array> {
  const session = await Session.load(toModel({ outputs: { pi: sigmoid(logit) }, weights }));
  const rows = Array.from({ length: one.losses.length }, (_, i) => i);
  const { pi } = await session.run({ [`seen-${one.exit}`]: standardised(one, scale, rows) });
  await session.release();
  return Float32Array.from(floats(pi!));
}
