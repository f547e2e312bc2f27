/** The inputs of any model as named tensors [N,…]: checked against the manifest and cut into samples. */
import type { Manifest, Port } from '../../bundle/manifest.ts';
import { bind, parseDimension, type Binding } from '../../bundle/shape.ts';
import type { Sample } from '../../engine/types.ts';
import { Problem, shortened, shown } from '../../errors.ts';
import { messageOf } from '../../util/message-of.ts';

/** The most samples in one request. */
export const MAX_SAMPLES = 4096;
/** The most numbers of a sample where the manifest does not bound its symbols: 2048×2048 gray pixels. */
const MAX_ELEMENTS = 2 ** 22;

/** A float32 tensor of one request, by the name of a model input. */
export interface InputTensor {
  readonly name: string;
  /** [N,…]: the batch first. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const refuse = (detail: string): never => {
  throw new Problem('bad-body', detail);
};

/** The number of elements of a shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/**
 * Cuts the inputs of a request into samples, which share the memory of the tensors.
 * @throws Problem `bad-body` where an input is missing, unknown, doubled, of another shape or not finite;
 * `too-large` where there are too many samples or a sample is too large
 */
export function toSamples(manifest: Manifest, tensors: readonly InputTensor[]): Sample[] {
  checkNames(manifest, tensors);
  const count = tensors[0]?.shape[0] ?? 0;
  const binding: Binding = new Map();
  for (const port of manifest.inputs)
    checkTensor(port, find(tensors, port.name), tensors[0]?.name ?? '', count, binding);
  checkSize(manifest, tensors, count, binding);
  tensors.forEach(checkFinite);
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(
      tensors.map(({ name, shape, data }) => {
        const size = data.length / count;
        return [name, { data: data.subarray(i * size, (i + 1) * size), dims: shape.slice(1) }];
      }),
    ),
  );
}

function checkNames({ name: model, inputs }: Manifest, tensors: readonly InputTensor[]): void {
  const wanted = inputs.map(({ name }) => name).join(', ');
  tensors.forEach(({ name }, i) => {
    if (!inputs.some((port) => port.name === name))
      refuse(`${model} has no input ${shortened(name)}; its inputs are ${wanted}.`);
    if (tensors.findIndex((other) => other.name === name) !== i)
      refuse(`The input ${name} is given twice.`);
  });
  const missing = inputs.find(({ name }) => !tensors.some((tensor) => tensor.name === name));
  if (missing) refuse(`The input ${missing.name} is missing; ${model} takes ${wanted}.`);
}

function checkTensor(
  port: Port,
  { name, shape, data }: InputTensor,
  first: string,
  count: number,
  binding: Binding,
): void {
  const bad = shape.find((size) => !Number.isSafeInteger(size) || size < 1);
  if (bad !== undefined)
    refuse(`${name} has a dimension of ${shown(bad)}; each must be a whole number from 1 on.`);
  if (shape.length !== port.shape.length)
    refuse(
      `${name} has the shape [${shortened(shape.join(', '))}]; it must be [${shapeOf(port)}], N samples together.`,
    );
  if (shape[0] !== count)
    refuse(`${name} has ${shape[0]} samples and ${first} has ${count}; they must be equal.`);
  if (sizeOf(shape) !== data.length)
    refuse(
      `${name} has ${data.length} values; its shape [${shortened(shape.join(', '))}] takes ${sizeOf(shape)}.`,
    );
  try {
    bind(name, port.shape, shape.slice(1), binding);
  } catch (error) {
    refuse(`Each sample of ${shortened(messageOf(error))}.`);
  }
}

const shapeOf = ({ shape }: Port): string => ['N', ...shape.slice(1)].join(', ');

function checkSize(
  { inputs, limits = {} }: Manifest,
  tensors: readonly InputTensor[],
  count: number,
  binding: Binding,
): void {
  if (count > MAX_SAMPLES)
    tooLarge(`The request holds ${count} samples; send at most ${MAX_SAMPLES} at a time.`);
  for (const [symbol, size] of binding) {
    const most = limits[symbol];
    if (most !== undefined && size > most)
      tooLarge(`The dimension ${symbol} is ${size}; this model takes at most ${most}.`);
  }
  const isBounded = (dim: number | string): boolean =>
    typeof dim === 'number' || parseDimension(dim).symbol in limits;
  for (const { name, shape } of inputs) {
    const size = find(tensors, name).data.length / count;
    if (size > MAX_ELEMENTS && !shape.slice(1).every(isBounded))
      tooLarge(`A sample of ${name} holds ${size} values; send at most ${MAX_ELEMENTS}.`);
  }
}

function checkFinite({ name, data }: InputTensor): void {
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i]))
      refuse(`Value ${i} of ${name} is ${data[i]}; every one must be a finite float32.`);
}

function tooLarge(detail: string): never {
  throw new Problem('too-large', detail);
}

function find(tensors: readonly InputTensor[], name: string): InputTensor {
  const tensor = tensors.find((one) => one.name === name);
  if (!tensor) throw new RangeError(`no tensor ${name}`);
  return tensor;
}
