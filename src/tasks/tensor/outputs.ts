/** The results of a request as named tensors: the model's outputs, and how each sample stopped. */
import type { Manifest } from '../../bundle/manifest.ts';
import type { RunResult } from '../../engine/types.ts';
import { at, entry } from '../../util/at.ts';
import { sizeOf } from './inputs.ts';

/** A tensor [N,…] of an answer, row-major, with its datatype in the words of the Open Inference Protocol. */
export type OutputTensor = { readonly name: string; readonly shape: readonly number[] } & (
  | { readonly datatype: 'FP32'; readonly data: Float32Array }
  | { readonly datatype: 'INT32'; readonly data: Int32Array }
  | { readonly datatype: 'BYTES'; readonly data: readonly string[] }
);

/** The tensors that every answer has beside the model's outputs: how each sample stopped. */
export const STOP_TENSORS = [
  { name: 'depth', datatype: 'INT32' },
  { name: 'pi', datatype: 'FP32' },
  { name: 'reason', datatype: 'BYTES' },
] as const;

/** π where an exit did not run. */
const NOT_RUN = -1;

/** An output of the model over all samples, [N,…]. @throws RangeError where the samples' shapes differ */
export function stackOutput(result: RunResult, name: string): OutputTensor & { datatype: 'FP32' } {
  const rows = result.samples.map(({ outputs }) => entry(outputs, name));
  const { dims } = at(rows, 0);
  const size = sizeOf(dims);
  const data = new Float32Array(rows.length * size);
  rows.forEach((row, i) => {
    if (row.data.length !== size)
      throw new RangeError(`the samples' outputs ${name} differ in size`);
    data.set(row.data, i * size);
  });
  return { name, datatype: 'FP32', shape: [rows.length, ...dims], data };
}

/** `depth` [N], `pi` [N,E] over the exits (−1 where an exit did not run) and `reason` [N]. */
export function stopTensors({ samples }: RunResult, exits: readonly number[]): OutputTensor[] {
  const pi = new Float32Array(samples.length * exits.length).fill(NOT_RUN);
  samples.forEach((sample, i) =>
    sample.pi.forEach((value, exit) => {
      if (!Number.isNaN(value)) pi[i * exits.length + exit] = value;
    }),
  );
  const shape = [samples.length];
  return [
    {
      name: 'depth',
      datatype: 'INT32',
      shape,
      data: Int32Array.from(samples, ({ depth }) => depth),
    },
    { name: 'pi', datatype: 'FP32', shape: [...shape, exits.length], data: pi },
    { name: 'reason', datatype: 'BYTES', shape, data: samples.map(({ reason }) => reason) },
  ];
}

/** Names of all tensors of an answer, in order. */
export const outputNames = ({ outputs }: Manifest): string[] =>
  [...outputs, ...STOP_TENSORS].map(({ name }) => name);

/** The named tensors of an answer, in the order of the names. @throws RangeError where there is none of a name */
export function outputTensors(
  result: RunResult,
  { exits }: Manifest,
  names: readonly string[],
): OutputTensor[] {
  const stops = stopTensors(result, exits);
  return names.map(
    (name) => stops.find((tensor) => tensor.name === name) ?? stackOutput(result, name),
  );
}
