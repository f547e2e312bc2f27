/** Folds batch normalisation into the convolutions: the statistics of many batches become part of the weights. */
import { fold, type Normalised } from '../families/batch-norm.ts';
import { layersOf, type Values } from '../families/family.ts';
import { toModel } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { floats, Session } from '../runtime/session.ts';
import type { RunOn } from './stage-run.ts';
import type { Batches } from './stages.ts';
import { toConstants, type Weights } from './weights.ts';

/** Batches over which the statistics are averaged. */
const BATCHES = 32;

/** Averages the statistics over batches and folds them into `weights`. @param inputs the model's inputs, as in the batches */
export async function foldStatistics(
  { training, statistics }: Normalised,
  inputs: Values,
  weights: Weights,
  batches: Batches,
  runOn: RunOn = {},
): Promise<void> {
  const outputs: Record<string, Value> = {};
  let read = inputs;
  for (const t of layersOf(training)) {
    for (const [name, { mean, variance }] of Object.entries(statistics(t, read))) {
      outputs[`mean ${name}`] = mean;
      outputs[`variance ${name}`] = variance;
    }
    read = { ...read, ...training.layer(t, read) };
  }
  const known = toConstants(weights);
  const session = await Session.load(toModel({ outputs, weights: known }), runOn);
  const sums = new Map(
    Object.entries(outputs).map(([name, { shape }]) => [name, new Float32Array(Number(shape[0]))]),
  );
  for (let i = 0; i < BATCHES; i++) {
    const batch = batches.next();
    const found = await session.run(session.pick(batch));
    for (const [name, sum] of sums)
      floats(found[name]!).forEach((value, c) => (sum[c]! += value / BATCHES));
  }
  await session.release();
  for (const name of sums.keys()) {
    const [kind, block] = name.split(' ') as [string, string];
    if (kind === 'mean')
      fold(weights, block, { mean: sums.get(name)!, variance: sums.get(`variance ${block}`)! });
  }
}
