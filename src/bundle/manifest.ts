/** The contract of a bundle: what `manifest.json` says of a model, as one schema that validates, types and documents. */
import Type, { type Static } from 'typebox';

export const SCHEMA_VERSION = 1;

const Task = Type.Union([
  Type.Literal('sparse-recovery'),
  Type.Literal('denoise'),
  Type.Literal('few-shot'),
  Type.Literal('recognize'),
]);
export type TaskName = Static<typeof Task>;

/**
 * A dimension: a number, a symbol that stands for one number throughout a sample (`h`), or a multiple of a symbol
 * (`2*h`: this side must be even). The first dimension of every tensor is the batch, `N`.
 */
const Dimension = Type.Union([
  Type.Integer({ minimum: 1 }),
  Type.String({ pattern: '^([1-9][0-9]*\\*)?[A-Za-z_][A-Za-z0-9_]*$' }),
]);

const Port = Type.Object({
  name: Type.String({ minLength: 1 }),
  dtype: Type.Literal('float32'),
  shape: Type.Array(Dimension, { minItems: 1 }),
});

/** The layers `first`..`last`; `last` is the exit at which the segment's `pi` is given. */
const Segment = Type.Object({
  file: Type.String(),
  first: Type.Integer({ minimum: 1 }),
  last: Type.Integer({ minimum: 1 }),
  /** Model inputs and states the graph takes, by name. */
  reads: Type.Array(Type.String()),
  /** States the graph gives, each as the output `next_NAME`; every segment but the last also gives `pi` [N]. */
  writes: Type.Array(Type.String()),
});

/** Turns the state at `exit` into the outputs; absent where the outputs are states themselves. */
const Decoder = Type.Object({
  file: Type.String(),
  exit: Type.Integer({ minimum: 1 }),
  reads: Type.Array(Type.String()),
});

/** Quality, depth and time under one condition of the data ({sigma: 35}, {snr_db: 20}, …). */
const Measurement = Type.Object({
  condition: Type.Record(Type.String(), Type.Union([Type.Number(), Type.String()])),
  metric: Type.String(),
  quality: Type.Number(),
  /** Half the width of the quality's 95 % confidence interval, where it is a mean over samples that are drawn. */
  half_width: Type.Optional(Type.Number()),
  full_depth_quality: Type.Number(),
  mean_depth: Type.Number(),
  max_depth: Type.Integer(),
  ms_per_sample: Type.Number(),
  full_depth_ms_per_sample: Type.Number(),
  n: Type.Integer(),
});
export type Measurement = Static<typeof Measurement>;

const ExitMeasurement = Type.Object({
  depth: Type.Integer(),
  quality: Type.Number(),
  ms_per_sample: Type.Number(),
});

export const Manifest = Type.Object({
  schema_version: Type.Literal(SCHEMA_VERSION),
  name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]*$' }),
  version: Type.String(),
  description: Type.Optional(Type.String()),
  task: Task,
  family: Type.String(),
  default: Type.Boolean(),
  /** A published form kept for comparison; exempt from the bound on the cost of policies and heads. */
  baseline: Type.Optional(Type.Boolean()),
  depth: Type.Integer({ minimum: 1 }),
  exits: Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1 }),
  max_batch: Type.Optional(Type.Integer({ minimum: 1 })),
  inputs: Type.Array(Port, { minItems: 1 }),
  /** The most that a symbol of the inputs' shapes may stand for, where there is a bound. */
  limits: Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 1 }))),
  states: Type.Array(Port),
  outputs: Type.Array(Port, { minItems: 1 }),
  segments: Type.Array(Segment, { minItems: 1 }),
  decoders: Type.Array(Decoder),
  path: Type.Optional(Type.String()),
  /** The calibrated threshold on π: the same for every exit. */
  threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  /**
   * The numbers in (0,1) that every segment but the last gives for a stop rule to compare, each [N] and by name: `pi`
   * alone where this is left out. `path` then takes the further input `policy`, one number for each, 1 for the one to compare.
   */
  policies: Type.Optional(
    Type.Array(Type.String({ pattern: '^[a-z][a-z0-9_]*$' }), { minItems: 1 }),
  ),
  /** Calibrated thresholds on the others, by name. */
  thresholds: Type.Optional(Type.Record(Type.String(), Type.Number({ minimum: 0, maximum: 1 }))),
  /** Floating-point operations, one sample (`per: 'sample'`) or one pixel of it (`per: 'pixel'`), exit by exit. */
  flops: Type.Object({
    per: Type.Union([Type.Literal('sample'), Type.Literal('pixel')]),
    segments: Type.Array(Type.Number()),
    heads: Type.Array(Type.Number()),
    policies: Type.Array(Type.Number()),
  }),
  measured: Type.Optional(
    Type.Object({
      data: Type.String(),
      exits: Type.Array(ExitMeasurement),
      threshold: Type.Array(Measurement),
    }),
  ),
  /** Where the weights come from: seed, data, steps, hours, configuration. */
  training: Type.Record(Type.String(), Type.Unknown()),
  /** Every other file of the folder, with its checksum. */
  files: Type.Record(
    Type.String(),
    Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), bytes: Type.Integer() }),
  ),
  /** The files that belong to the task and that the service hands out, such as `matrix.npy` or `labels.json`. */
  task_files: Type.Array(Type.String()),
});
export type Manifest = Static<typeof Manifest>;
export type Port = Static<typeof Port>;
export type Segment = Static<typeof Segment>;

/** What a stop rule may compare. */
export const policiesOf = ({ policies }: Pick<Manifest, 'policies'>): readonly string[] =>
  policies ?? ['pi'];

/** The output of a segment's graph that holds the next value of a state: in ONNX no output may share an input's name. */
export const outputName = (state: string): string => `next_${state}`;

/** The channels of the images that a model takes. */
export const channelsOf = ({ inputs }: Pick<Manifest, 'inputs'>): number =>
  Number(inputs[0]?.shape[1]);

/** Whether only one of two models can be the default: a task has one, denoising one for each number of channels. */
export const areRivals = (a: Manifest, b: Manifest): boolean =>
  a.task === b.task && (a.task !== 'denoise' || channelsOf(a) === channelsOf(b));
