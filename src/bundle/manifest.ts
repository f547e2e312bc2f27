/** The bundle contract: the schema of `manifest.json`, which validates it, types it and documents it. */
import Type, { type Static } from 'typebox';

/** The version that is written. Version 1, a subset of version 2, is still read. */
export const SCHEMA_VERSION = 2;

/** The name of a task; `src/tasks` has a folder for each. */
const Task = Type.String({ minLength: 1 });
/** A task as named in a manifest; the schema accepts any non-empty string. */
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

/**
 * The layers `first`..`last`; `last` is the exit at which the segment's `pi` is given. `first: 0, last: 0` runs no layer:
 * it computes input statistics and π₀.
 */
const Segment = Type.Object({
  file: Type.String(),
  first: Type.Integer({ minimum: 0 }),
  last: Type.Integer({ minimum: 0 }),
  /** Model inputs and states the graph takes, by name. */
  reads: Type.Array(Type.String()),
  /**
   * States the graph gives, each as the output `next_NAME`. Every segment but the last also gives `pi` [N], unless
   * `policy_files` has a file for its exit.
   */
  writes: Type.Array(Type.String()),
});

/** A graph that is run at an exit: it reads model inputs and states by name. */
const ExitFile = Type.Object({
  file: Type.String(),
  exit: Type.Integer({ minimum: 0 }),
  reads: Type.Array(Type.String()),
});

/**
 * One row of the calibration table: the cheapest rule that was certified at a tolerance (design: Learn then Test,
 * Angelopoulos et al. 2021). `threshold` and `depth` are null where no rule was certified; then `guaranteed` is false and
 * the full depth is run.
 */
const CalibrationRow = Type.Object({
  /** The loss that is accepted, in the table's unit. */
  tolerance: Type.Number({ exclusiveMinimum: 0 }),
  /** The threshold on π of the certified rule. */
  threshold: Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()]),
  /** Where one fixed depth is the certified rule: that exit. */
  depth: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
  /** The share of the certification part that kept within the tolerance, and its lower confidence bound. */
  share: Type.Number(),
  bound: Type.Number(),
  /** Requests, or source images where several requests share one. */
  n: Type.Integer({ minimum: 0 }),
  mean_depth: Type.Number(),
  ms: Type.Number(),
  guaranteed: Type.Boolean(),
});
/** A row of the calibration table; `tolerance` is in the table's unit, `ms` is time per request. */
export type CalibrationRow = Static<typeof CalibrationRow>;

/** What stopping may cost, row by row with rising tolerance, for the traffic that it was certified on. */
const Calibration = Type.Object({
  /** `dB` of regret per request, or `points` of accuracy in the mean. */
  unit: Type.Union([Type.Literal('dB'), Type.Literal('points')]),
  /** The tolerance where a request names none. */
  default: Type.Number({ exclusiveMinimum: 0 }),
  /** The traffic that was certified on. */
  data: Type.String(),
  rows: Type.Array(CalibrationRow, { minItems: 1 }),
  /** What 5 % of the early answers of that traffic exceed in distance to full depth, ‖early − full‖ / ‖full‖. */
  shadow_distance: Type.Optional(Type.Number()),
});
/** A bundle's calibration table, with the unit (dB or points) of its tolerances. */
export type Calibration = Static<typeof Calibration>;

/** The variant that a bundle's own `segments` are. */
export const FLOAT = 'float';

/**
 * The same path in another numeric form, such as `int8`. The bundle's own `segments` are the variant `float`. A variant is
 * chosen once per image and kept along the path.
 */
const Variant = Type.Object({
  name: Type.String({ pattern: '^[a-z][a-z0-9_]*$' }),
  /**
   * One file for each of the bundle's segments, in order, with the same inputs and outputs. The first is the bundle's own: it
   * computes the statistic that the variant is chosen by.
   */
  segments: Type.Array(Type.String(), { minItems: 1 }),
  /** Read-outs of its own, at exits after 0; the bundle's at the other exits. */
  decoders: Type.Optional(Type.Array(ExitFile)),
  /** The input statistic's range in which the variant may be used. */
  statistic: Type.Object({
    minimum: Type.Optional(Type.Number()),
    maximum: Type.Optional(Type.Number()),
  }),
  /** Quality lost against `float` within that range, in the calibration's unit. */
  loss: Type.Number(),
  calibration: Type.Optional(Calibration),
});
/** A numeric form of the path, with the range of the statistic in which it may be used. */
export type Variant = Static<typeof Variant>;

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
/** Measured quality, depth (layers) and time (ms per sample) under one condition of the data. */
export type Measurement = Static<typeof Measurement>;

const ExitMeasurement = Type.Object({
  depth: Type.Integer(),
  quality: Type.Number(),
  ms_per_sample: Type.Number(),
});

/** Schema of `manifest.json`: the form only; `loadBundle` checks that the parts fit together. */
export const Manifest = Type.Object({
  schema_version: Type.Union([Type.Literal(1), Type.Literal(SCHEMA_VERSION)]),
  name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]*$', maxLength: 64 }),
  version: Type.String(),
  description: Type.Optional(Type.String()),
  task: Task,
  family: Type.String(),
  default: Type.Boolean(),
  /** A published form kept for comparison; exempt from the bound on the cost of policies and heads. */
  baseline: Type.Optional(Type.Boolean()),
  depth: Type.Integer({ minimum: 1 }),
  /**
   * The depths at which π is given and the state can be read out, rising; the last is `depth`. Exit 0 is the input itself
   * or a closed-form start: without a segment `first: 0` it is reached by a fixed depth and by deadlines alone.
   */
  exits: Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 }),
  max_batch: Type.Optional(Type.Integer({ minimum: 1 })),
  inputs: Type.Array(Port, { minItems: 1 }),
  /** The most that a symbol of the inputs' shapes may stand for, where there is a bound. */
  limits: Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 1 }))),
  states: Type.Array(Port),
  outputs: Type.Array(Port, { minItems: 1 }),
  segments: Type.Array(Segment, { minItems: 1 }),
  /** Turn the state at an exit into the outputs; absent where the outputs are states themselves. */
  decoders: Type.Array(ExitFile),
  /** Policies kept apart from the segments, each giving `pi` [N] at its exit: the segments of a foreign network stay as they are. */
  policy_files: Type.Optional(Type.Array(ExitFile)),
  /** The whole path in one graph, for one sample; not with exit 0 or policy files. */
  path: Type.Optional(Type.String()),
  /** The name of a state [N] that segment 0 writes and that describes the input, such as its noise level. */
  statistic: Type.Optional(Type.String()),
  variants: Type.Optional(Type.Array(Variant)),
  calibration: Type.Optional(Calibration),
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
  /** The images are drawings, ink on paper: the task normalises polarity, size and place before the model sees them. */
  drawings: Type.Optional(Type.Boolean()),
  /** The files that belong to the task and that the service hands out, such as `matrix.npy` or `labels.json`. */
  task_files: Type.Array(Type.String()),
});
/** The schema as a JSON Schema document, for editors and exporters. */
export const manifestJsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'manifest.json of a stopwise bundle',
  ...Manifest,
};
/** A manifest that fits the schema. */
export type Manifest = Static<typeof Manifest>;
/** A float32 input, state or output of the model: its name and its shape, the batch N first. */
export type Port = Static<typeof Port>;
/** A graph that runs the layers up to an exit: the values it reads and the states it writes. */
export type Segment = Static<typeof Segment>;
/** A decoder or a policy in a file of its own, run at one exit. */
export type ExitFile = Static<typeof ExitFile>;

/** The model that a bundle is a version of: its name, without the version of a folder NAME@VERSION. */
export const modelOf = (name: string): string => name.replace(/@.*$/, '');

/** The exits at which a segment ends: all of them, but for an exit 0 that has no segment of its own. */
export const segmentExits = ({ exits, segments }: Pick<Manifest, 'exits' | 'segments'>): number[] =>
  exits.slice(exits.length - segments.length);

/** What a stop rule may compare. */
export const policiesOf = ({ policies }: Pick<Manifest, 'policies'>): readonly string[] =>
  policies ?? ['pi'];

/** The output of a segment's graph that holds the next value of a state: in ONNX no output may share an input's name. */
export const outputName = (state: string): string => `next_${state}`;

/** Whether the inputs have one fixed shape: only then samples of several requests are batched. */
export const hasFixedInputs = ({ inputs }: Pick<Manifest, 'inputs'>): boolean =>
  inputs.every(({ shape }) => shape.slice(1).every((dim) => typeof dim === 'number'));

/** The channels of the images that a model takes. */
export const channelsOf = ({ inputs }: Pick<Manifest, 'inputs'>): number =>
  Number(inputs[0]?.shape[1]);
