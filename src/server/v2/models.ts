/** What the Open Inference Protocol says of models and their repository, the same over REST and gRPC. */
import { modelOf, segmentExits, type Manifest } from '../../bundle/manifest.ts';
import type { Engine } from '../../engine/engine.ts';
import { Problem } from '../../errors.ts';
import { MAX_SAMPLES } from '../../tasks/tensor/inputs.ts';
import { modelNamed, versionsOf } from '../../tasks/open-inference/protocol.ts';
import { STOP_TENSORS } from '../../tasks/tensor/outputs.ts';
import type { Statistics } from './statistics.ts';
import { DEFAULT_THRESHOLD } from '../../stopping/rules.ts';

/** The part of an engine that is described. */
export type Served = Pick<Engine, 'manifests' | 'refused' | 'repository'>;

/** Extensions of the protocol that are implemented. */
const EXTENSIONS = [
  'model_configuration',
  'model_repository',
  'binary_tensor_data',
  'parameters',
  'statistics',
];
const PLATFORM = 'stopwise_onnx';

/** Name, version and extensions of the server. */
export const serverMetadata = (version: string) => ({
  name: 'stopwise',
  version,
  extensions: EXTENSIONS,
});

/** @throws Problem `unknown-model` for an unknown name or version, `bundle-refused` for a bundle that is not served */
export function findModel({ manifests, refused }: Served, name: string, version = ''): Manifest {
  if (refused.some((one) => one.name === name) && !manifests.has(name))
    throw new Problem('bundle-refused', `The model ${name} failed its checks; the log says why.`);
  return modelNamed(manifests, name, version);
}

/** A free dimension is −1; the batch always is. */
const shapeOf = (shape: readonly (number | string)[]): number[] => [
  -1,
  ...shape.slice(1).map((dim) => (typeof dim === 'number' ? dim : -1)),
];

const stopShape = (name: string, { exits }: Manifest): number[] =>
  name === 'pi' ? [-1, exits.length] : [-1];

function portsOf(manifest: Manifest) {
  const model = (ports: Manifest['inputs']) =>
    ports.map(({ name, shape }) => ({ name, datatype: 'FP32', shape: shapeOf(shape) }));
  const stops = STOP_TENSORS.map(({ name, datatype }) => ({
    name,
    datatype,
    shape: stopShape(name, manifest),
  }));
  return { inputs: model(manifest.inputs), outputs: [...model(manifest.outputs), ...stops] };
}

/** Inputs and outputs of a model with datatypes and shapes [N,…]. */
export const modelMetadata = (manifest: Manifest, { manifests }: Pick<Served, 'manifests'>) => ({
  name: modelOf(manifest.name),
  versions: versionsOf(manifests, manifest.name),
  platform: PLATFORM,
  ...portsOf(manifest),
});

const configTypes: Readonly<Record<string, string>> = {
  FP32: 'TYPE_FP32',
  INT32: 'TYPE_INT32',
  BYTES: 'TYPE_STRING',
};

/** The configuration in the form of Triton's; `dims` are without the batch. */
export function modelConfig(manifest: Manifest) {
  const { inputs, outputs } = portsOf(manifest);
  const port = ({ name, datatype, shape }: (typeof inputs)[number]) => {
    const dims = shape.slice(1);
    const common = { name, data_type: configTypes[datatype] ?? 'TYPE_INVALID' };
    // Dimensions must not be empty there: a number per sample is reshaped to none.
    return dims.length > 0 ? { ...common, dims } : { ...common, dims: [1], reshape: { shape: [] } };
  };
  const { depth, exits, task, family } = manifest;
  const text = (value: unknown) => ({ string_value: String(value) });
  return {
    name: modelOf(manifest.name),
    platform: PLATFORM,
    backend: 'stopwise',
    max_batch_size: MAX_SAMPLES,
    input: inputs.map(port),
    output: outputs.map(port),
    parameters: {
      task: text(task),
      family: text(family),
      depth: text(depth),
      exits: text(exits.join(',')),
      threshold: text(manifest.threshold ?? DEFAULT_THRESHOLD),
    },
  };
}

/**
 * The models of the repository: READY, or UNAVAILABLE with the reason where they were refused or unloaded. One that is
 * served on because what was to replace it was refused is READY and has a reason too.
 */
export function repositoryIndex({ manifests, refused, repository }: Served, onlyReady = false) {
  const row = (name: string, version: string, isReady: boolean, reason: string) => ({
    name: modelOf(name),
    version,
    state: isReady ? 'READY' : 'UNAVAILABLE',
    reason,
  });
  const served = [...manifests.values()].map(({ name, version }) => {
    const refusal = refused.find((one) => one.name === name);
    if (!refusal) return row(name, version, true, '');
    const { reason, isReplacement = false } = refusal;
    return row(name, version, isReplacement, isReplacement ? `not replaced: ${reason}` : reason);
  });
  const others = [
    ...refused,
    ...[...repository.unloaded].map((name) => ({ name, reason: 'unloaded' })),
  ]
    .filter(({ name }) => !manifests.has(name))
    .map(({ name, reason }) => row(name, /@(.*)$/.exec(name)?.[1] ?? '', false, reason));
  return [...served, ...others].filter(({ state }) => !onlyReady || state === 'READY');
}

/**
 * The statistics extension for one model. `execution_count` counts batches at the first exit, so that
 * `inference_count / execution_count` is their mean size; `batch_stats` has the runs of all segments. Decoding counts as
 * queue; encoding is not measured.
 */
export function modelStatistics(manifest: Manifest, statistics: Statistics) {
  const { last, samples, success, fail, queue, compute, runs, batches } = statistics.of(
    manifest.name,
  );
  const [first = 0] = segmentExits(manifest);
  const none = { count: success.count, ns: 0 };
  return {
    name: modelOf(manifest.name),
    version: manifest.version,
    last_inference: last,
    inference_count: samples,
    execution_count: (runs.get(first) ?? 0) + (runs.get('path') ?? 0),
    inference_stats: {
      success,
      fail,
      queue,
      compute_input: none,
      compute_infer: compute,
      compute_output: none,
      cache_hit: { count: 0, ns: 0 },
      cache_miss: { count: 0, ns: 0 },
    },
    batch_stats: [...batches]
      .sort(([a], [b]) => a - b)
      .map(([batch_size, compute_infer]) => ({
        batch_size,
        compute_input: { count: compute_infer.count, ns: 0 },
        compute_infer,
        compute_output: { count: compute_infer.count, ns: 0 },
      })),
  };
}
