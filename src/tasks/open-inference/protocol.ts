/**
 * The Open Inference Protocol (V2) apart from how it is written: a request of named tensors, and its response. REST and
 * gRPC translate to and from these.
 */
import { modelOf, type Manifest } from '../../bundle/manifest.ts';
import type {
  DecodedRequest,
  ReachedExit,
  RunResult,
  SampleResult,
  TaskAnswer,
} from '../../engine/types.ts';
import { Problem, shortened, shown } from '../../errors.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import { at } from '../../util/at.ts';
import { deepestOf } from '../common/depth-report.ts';
import { readStopping } from '../common/stopping-query.ts';
import { sizeOf, toSamples, type InputTensor } from '../tensor/inputs.ts';
import { outputNames, outputTensors, type OutputTensor } from '../tensor/outputs.ts';

/** The values that a parameter may have. */
export type Parameters = Readonly<Record<string, string | number | boolean>>;

/** An inference request: inputs [N,…], and the names of the outputs that are wanted; all where there are none. */
export interface InferRequest {
  readonly id?: string | undefined;
  readonly inputs: readonly InputTensor[];
  readonly outputs: readonly string[];
  /** Stopping parameters, by their names in queries, and `exits`. */
  readonly parameters: Parameters;
  /** Whether the request may have several answers, one for each exit before the last. */
  readonly isStreamed?: boolean;
}

/** The answer: the model's outputs, `depth`, `pi` and `reason`, or those that were asked for. */
export interface InferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly id?: string;
  readonly parameters: Parameters;
  readonly outputs: readonly OutputTensor[];
}

/** The one datatype of model inputs. */
const INPUT_TYPE = 'FP32';
/** Parameters that say nothing about when to stop. */
const IGNORED = ['binary_data_output', 'triton_enable_empty_final_response', 'exits'];

/** The versions of a model that are served: that of its own folder, and those of folders NAME@VERSION. */
export const versionsOf = (models: ReadonlyMap<string, Manifest>, name: string): string[] =>
  [...models.values()]
    .filter((one) => modelOf(one.name) === modelOf(name))
    .map(({ version }) => version);

/**
 * The model with this name and version. Without a version that of the folder NAME.
 * @throws Problem `unknown-model`
 */
export function modelNamed(
  models: ReadonlyMap<string, Manifest>,
  name: string,
  version = '',
): Manifest {
  const manifest = models.get(name);
  if (version === '' ? manifest : manifest?.version === version) return manifest as Manifest;
  const other = models.get(`${name}@${version}`);
  if (other) return other;
  const versions = versionsOf(models, name);
  throw new Problem(
    'unknown-model',
    versions.length > 0
      ? `${name} has no version ${shortened(version) || 'of its own name'}; its versions are ${versions.join(', ')}.`
      : `There is no model ${shortened(name)}; there are ${[...models.keys()].join(', ')}.`,
  );
}

/** @throws Problem `bad-body` where the datatype is not that of model inputs */
export function checkDatatype(name: string, datatype: string): void {
  if (datatype !== INPUT_TYPE)
    throw new Problem(
      'bad-body',
      `The input ${shortened(name)} has the datatype ${shortened(datatype)}; models take ${INPUT_TYPE}.`,
    );
}

/**
 * Little-endian float32 as an array of its own, whatever the alignment of the bytes.
 * @throws Problem `bad-body` where the bytes are not those of the shape
 */
export function floatsOf(name: string, bytes: Uint8Array, shape: readonly number[]): Float32Array {
  if (bytes.length !== 4 * sizeOf(shape))
    throw new Problem(
      'bad-body',
      `The input ${shortened(name)} has ${bytes.length} bytes; its shape [${shortened(shape.join(', '))}] takes ${4 * sizeOf(shape)}.`,
    );
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/** The samples of a request, and its response once they have stopped. @throws Problem where the request is at fault */
export function toDecoded(
  request: InferRequest,
  manifest: Manifest,
  encode: (response: InferResponse) => TaskAnswer,
): DecodedRequest {
  const known = outputNames(manifest);
  request.outputs.forEach((name, i) => {
    const problem = !known.includes(name)
      ? `${manifest.name} has no output ${shortened(name)}; its outputs are ${known.join(', ')}.`
      : request.outputs.indexOf(name) !== i && `The output ${name} is asked for twice.`;
    if (problem) throw new Problem('bad-body', problem);
  });
  const names = request.outputs.length > 0 ? request.outputs : known;
  const follows = followsExits(request);
  return {
    model: manifest.name,
    samples: toSamples(manifest, request.inputs),
    stopping: stoppingOf(request.parameters),
    ...(follows && {
      exits: {
        encode: (exit, outputs) =>
          encode(exitResponse(request, manifest, names, exit, outputs)).body,
      },
    }),
    encode: (result) =>
      new Promise((resolve) => {
        const { parameters, ...response } = toResponse(request, result, manifest, names);
        const last = follows && { [FINAL]: true };
        resolve(encode({ ...response, parameters: { ...parameters, ...last } }));
      }),
  };
}

/** Triton's name for what tells the last of several answers to a request. */
const FINAL = 'triton_final_response';

/** @throws Problem `bad-parameter` where `exits` is not a truth value, or only one answer can be given */
function followsExits({ parameters: { exits }, isStreamed = false }: InferRequest): boolean {
  if (exits !== undefined && typeof exits !== 'boolean')
    throw new Problem('bad-parameter', `exits must be true or false, not ${shown(exits)}.`);
  if (exits === true && !isStreamed)
    throw new Problem('bad-parameter', 'exits goes with ModelStreamInfer over gRPC.');
  return exits === true;
}

/** The answer of one sample at an exit: the model's outputs [1,…] and `depth`, as far as they are asked for. */
function exitResponse(
  { id }: InferRequest,
  { name: model, version }: Manifest,
  names: readonly string[],
  { sample, depth, pi, threshold, tolerance, elapsedMs, stopped }: ReachedExit,
  outputs: SampleResult['outputs'],
): InferResponse {
  const tensors = names.flatMap((name): OutputTensor[] => {
    if (name === 'depth')
      return [{ name, datatype: 'INT32', shape: [1], data: Int32Array.of(depth) }];
    const output = outputs[name];
    if (!output) return [];
    return [{ name, datatype: 'FP32', shape: [1, ...output.dims], data: output.data }];
  });
  return {
    model_name: modelOf(model),
    model_version: version,
    ...(id !== undefined && { id }),
    parameters: {
      sample,
      depth,
      ...(pi !== undefined && { pi }),
      ...(threshold !== undefined && { threshold }),
      ...(tolerance !== undefined && { tolerance }),
      elapsed_ms: elapsedMs,
      stopped,
      [FINAL]: false,
    },
    outputs: tensors,
  };
}

/**
 * The stopping parameters of a request. Clients that cannot send fractions send them as text. Triton's `timeout`, in µs,
 * stands for `deadline_ms`.
 */
function stoppingOf(parameters: Parameters): StoppingParameters {
  const { timeout, ...others } = parameters;
  const entries = Object.entries(others)
    .filter(([name]) => !IGNORED.includes(name))
    .map(([name, value]) => [name, name === 'rule' ? value : numberOf(value)] as const);
  const stopping = readStopping(Object.fromEntries(entries));
  if (timeout === undefined || stopping.deadlineMs !== undefined) return stopping;
  return { ...stopping, ...readStopping({ deadline_ms: Number(timeout) / 1000 }) };
}

const numberOf = (value: Parameters[string]): Parameters[string] =>
  typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))
    ? Number(value)
    : value;

function toResponse(
  { id }: InferRequest,
  result: RunResult,
  manifest: Manifest,
  names: readonly string[],
): InferResponse {
  const { seed, tolerance, timing, maxDepth } = result;
  const { variant } = deepestOf(result);
  return {
    model_name: modelOf(manifest.name),
    model_version: manifest.version,
    ...(id !== undefined && { id }),
    parameters: {
      max_depth: maxDepth,
      ...(variant !== undefined && { variant }),
      ...(seed !== undefined && { seed }),
      ...(tolerance && { tolerance: tolerance.used, guaranteed: tolerance.guaranteed }),
      queue_ms: timing.queueMs,
      compute_ms: timing.computeMs,
      total_ms: timing.totalMs,
    },
    outputs: outputTensors(result, manifest, names),
  };
}

/** The tensor as the protocol's bytes: little-endian numbers; for BYTES each text behind its length, a uint32. */
export function toBytes(tensor: OutputTensor): Uint8Array {
  if (tensor.datatype !== 'BYTES')
    return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  return Buffer.concat(
    tensor.data.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

/**
 * The shape of a body that is nothing but the values of a model's only input: the number of samples where a sample has
 * one size, else one sample whose only free dimension follows from the length.
 * @param length of the body, in values
 * @throws Problem `bad-body` where the shape does not follow
 */
export function rawShape({ name, inputs }: Manifest, length: number): number[] {
  if (inputs.length !== 1)
    throw new Problem('bad-body', `${name} has several inputs, so they need a JSON header.`);
  const dims = at(inputs, 0).shape.slice(1);
  const fixed = sizeOf(dims.filter((dim) => typeof dim === 'number'));
  const free = dims.filter((dim) => typeof dim === 'string').length;
  if (free > 1)
    throw new Problem(
      'bad-body',
      `A sample of ${name} has several free dimensions: send a JSON header.`,
    );
  const count = length / fixed;
  if (!Number.isInteger(count) || count === 0)
    throw new Problem(
      'bad-body',
      `The body has ${length} values of float32; ${name} takes a multiple of ${fixed}.`,
    );
  return free === 0
    ? [count, ...dims.map(Number)]
    : [1, ...dims.map((dim) => (typeof dim === 'number' ? dim : count))];
}
