/** Runs the segments of a finished network on data: what a policy may see at each exit, and the loss there. */
import { join } from 'node:path';
import { outputName, segmentExits, type Manifest, type Port } from '../bundle/manifest.ts';
import type { Bundle } from '../bundle/read.ts';
import { pickRows, type Rows } from '../data/tensor-files.ts';
import { logSoftmax } from '../graph/functions.ts';
import { toModel } from '../graph/model.ts';
import {
  abs,
  add,
  concat,
  exp,
  input,
  log,
  mul,
  neg,
  reduceMax,
  reduceMean,
  reduceSum,
  reshape,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import type { Samples } from './samples.ts';
import { floats, Session, tensor, type Tensors } from '../runtime/session.ts';
import { at, entry } from '../util/at.ts';

/** What is known of all samples at one exit: features [n,F] and losses [n]. */
export interface Traced {
  readonly exit: number;
  readonly width: number;
  readonly features: Float32Array;
  readonly losses: Float32Array;
  /** Mean time of the layers up to the exit, ms a sample. */
  ms: number;
}

const BATCH = 128;
const TINY = 1e-12;

/** The values that a policy at an exit may read: inputs, and the states that were written by then. */
export function readableAt(manifest: Manifest, exit: number): Port[] {
  const written = manifest.segments.filter(({ last }) => last <= exit).flatMap((one) => one.writes);
  const names = [...manifest.inputs.map(({ name }) => name), ...new Set(written)];
  const ports = [...manifest.inputs, ...manifest.states];
  return names.map((name) =>
    entry(Object.fromEntries(ports.map((port) => [port.name, port])), name),
  );
}

/**
 * Numbers that tell how far a sample has come, of any network, [N,F]: of each value its mean, size and peak; of an output
 * with one row of scores the largest probability and the entropy too.
 */
export function featuresOf(ports: readonly Port[], outputs: readonly string[]): Value {
  const column = (value: Value): Value => reshape(value, ['N', 1]);
  const columns = ports.flatMap(({ name, shape }) => {
    const x = input(name, shape);
    const axes = shape.map((_, i) => i).slice(1);
    if (axes.length === 0) return [column(x)];
    const size = log(add(reduceMean(mul(x, x), axes), TINY));
    const peak = log(add(reduceMax(abs(x), axes), TINY));
    const general = [reduceMean(x, axes), size, peak];
    if (shape.length !== 2 || !outputs.includes(name)) return general.map(column);
    const scores = logSoftmax(x, 1);
    const entropy = neg(reduceSum(mul(exp(scores), scores), [1]));
    return [...general, exp(reduceMax(scores, [1])), entropy].map(column);
  });
  return concat(columns, 1);
}

/** Classes [n] for scores [N,C] give cross-entropies, nats; other targets squared errors, dB. */
export const areClasses = ({ outputs }: Manifest, target: Rows): boolean =>
  target.shape.length === 1 && outputs[0]?.shape.length === 2;

/** Runs all samples to full depth. @throws Error where inputs or target do not fit the network */
export async function traceFrozen(
  { directory, manifest }: Bundle,
  { inputs, target }: Samples,
  onProgress: (share: number) => void,
): Promise<Traced[]> {
  const load = (file: string): Promise<Session> => Session.load(join(directory, file));
  const outputs = manifest.outputs.map(({ name }) => name);
  const count = target.shape[0] ?? 0;
  const exits = await Promise.all(
    segmentExits(manifest).map(async (exit, i) => {
      const features = featuresOf(readableAt(manifest, exit), outputs);
      const decoder = manifest.decoders.find((one) => one.exit === exit);
      return {
        exit,
        segment: at(manifest.segments, i),
        session: await load(at(manifest.segments, i).file),
        reader: await Session.load(toModel({ outputs: { features } })),
        decoder: decoder && (await load(decoder.file)),
        traced: trace(exit, features, count),
      };
    }),
  );
  for (let start = 0; start < count; start += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, count - start) }, (_, i) => start + i);
    const values: Tensors = {};
    for (const { name } of manifest.inputs) {
      const given = inputs.get(name);
      if (!given) throw new Error(`--data lacks the input ${name}: ${name}=FILE.npy.`);
      const { data, shape } = pickRows(given, rows);
      values[name] = tensor(data, shape);
    }
    let ms = 0;
    for (const { segment, session, reader, decoder, traced } of exits) {
      const before = performance.now();
      const next = await session.run(session.pick(values));
      ms += performance.now() - before;
      for (const name of segment.writes) values[name] = entry(next, outputName(name));
      const { features } = await reader.run(reader.pick(values));
      traced.features.set(floats(entry({ features: features! }, 'features')), start * traced.width);
      const given = decoder ? await decoder.run(decoder.pick(values)) : values;
      const output = entry(given, at(outputs, 0));
      traced.losses.set(lossesOf(manifest, floats(output), pickRows(target, rows)), start);
      traced.ms += ms / count;
    }
    onProgress((start + rows.length) / count);
  }
  for (const { session, reader, decoder } of exits)
    for (const one of [session, reader, decoder]) await one?.release();
  return exits.map(({ traced }) => traced);
}

function trace(exit: number, features: Value, count: number): Traced {
  const width = Number(features.shape[1]);
  const empty = (length: number): Float32Array => new Float32Array(length);
  return { exit, width, features: empty(count * width), losses: empty(count), ms: 0 };
}

function lossesOf(manifest: Manifest, output: Float32Array, target: Rows): number[] {
  const n = target.shape[0] ?? 1;
  const size = output.length / n;
  const rowOf = (i: number): Float32Array => output.subarray(i * size, (i + 1) * size);
  if (areClasses(manifest, target))
    return Array.from(target.data, (label, i) => {
      const row = rowOf(i);
      const score = row[label];
      if (score === undefined)
        throw new Error(`The target of a sample is class ${label}; there are ${size} scores.`);
      const top = row.reduce((a, b) => Math.max(a, b));
      return top + Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0)) - score;
    });
  if (target.data.length !== output.length)
    throw new Error(
      `The target is [${target.shape.join(', ')}]; the network gives ${size} numbers a sample. Classes are [n].`,
    );
  return Array.from({ length: n }, (_, i) => {
    const wanted = target.data.subarray(i * size, (i + 1) * size);
    const error = rowOf(i).reduce((sum, value, k) => sum + (value - wanted[k]!) ** 2, 0) / size;
    return 10 * Math.log10(error + TINY);
  });
}
