/** The configuration of few-shot models and its defaults. */
import Type, { type Static } from 'typebox';
import type { FlopsUnit } from '../../training/export.ts';
import { stageOneSchema, stageTwoSchema, type StageTwoConfig } from '../../training/stages.ts';

/** FLOPs of a task of 20 classes with 3 images each, and one query. */
export const perTask: FlopsUnit = { per: 'sample', symbols: { S: 60, K: 20, Q: 1 }, divisor: 1 };

const positiveInteger = Type.Integer({ minimum: 1 });

/** Schema of a few-shot model's training configuration. */
export const fewShotSchema = Type.Object({
  /**
   * `stop`: every step is an exit, weighted by the oracle, and so is the start. `fixed`: always all steps, the published MAML,
   * for comparison; its step 1 is what the others have as their start.
   */
  form: Type.Union([Type.Literal('stop'), Type.Literal('fixed')]),
  channels: Type.Union([Type.Literal(1), Type.Literal(3)]),
  /** Width and height of the images, pixels. */
  side: positiveInteger,
  /** Whether images are drawings, which are normalised: polarity, size, place and pen do not matter. */
  drawings: Type.Optional(Type.Boolean()),
  /** The value of empty pixels, with which images are padded: 1 for ink on white paper. */
  background: Type.Number(),
  features: positiveInteger,
  /** T, the most gradient steps. */
  depth: positiveInteger,
  exits: Type.Array(Type.Integer({ minimum: 0 })),
  /** Width of the policy's hidden layer. */
  hidden: positiveInteger,
  /** `first`: training ignores how a step depends on the parameters before it through its gradient. */
  order: Type.Union([Type.Literal('first'), Type.Literal('second')]),
  /** The published way, for comparison: the queries of a task are normalised together, by their own statistics. */
  transductive: Type.Optional(Type.Boolean()),
  /** Numbers of classes a task may have. */
  ways: Type.Array(positiveInteger, { minItems: 1 }),
  /** The least and the most images of a class. */
  shots: Type.Tuple([positiveInteger, positiveInteger]),
  /** Queries of each class. */
  queries: positiveInteger,
  /** Whether an image turned by 90°, 180° or 270° belongs to a class of its own. */
  turns: Type.Boolean(),
  /** Tasks of a training step. */
  batch: positiveInteger,
  seed: Type.Integer(),
  /** The share of the classes that the policy learns from, the threshold is calibrated on, and the layers do not see. */
  held: Type.Number({ minimum: 0, maximum: 1 }),
  /**
   * How the images that the layers learn from are varied; the policy and the tests use images as they are. Drawings are
   * turned only: they vary as callers' drawings do (`drawingMix`).
   */
  augment: Type.Object({
    /** Whether a class whose images are all turned alike is one more class to learn from (Liu et al. 2020). */
    turns: Type.Boolean(),
    /** Images are moved by up to this many pixels each way. */
    shift: Type.Integer({ minimum: 0 }),
    /** Half of the images are mirrored left to right. */
    mirror: Type.Boolean(),
  }),
  /** The start alone, which is cheap: the blocks learn features whose class means separate the classes. */
  warmUp: stageOneSchema,
  stageOne: stageOneSchema,
  /** The layers are frozen, so tasks are adapted once and every step of the policy draws from the results. */
  stageTwo: Type.Object({
    ...stageTwoSchema.properties,
    /** Tasks that are adapted. */
    tasks: positiveInteger,
    /** Numbers of classes they may have. */
    ways: Type.Array(positiveInteger, { minItems: 1 }),
    /** Queries of each class, as far as there are images: more queries make the losses less noisy. */
    queries: positiveInteger,
    /** Tasks that a step draws. */
    batch: positiveInteger,
  }),
});
/** Training configuration of a few-shot model, as {@link fewShotSchema} validates it. */
export type FewShotConfig = Static<typeof fewShotSchema>;

const common = {
  hidden: 16,
  queries: 2,
  batch: 1,
  seed: 1,
  held: 0.1,
  features: 32,
  depth: 3,
  exits: [0, 1, 2, 3],
  order: 'second' as const,
};
const policy: StageTwoConfig & Pick<FewShotConfig['stageTwo'], 'tasks' | 'queries' | 'batch'> = {
  steps: 1000,
  rate: 1e-2,
  beta: 0.1,
  lambda: 0.3,
  divergence: 'forward',
  tasks: 400,
  queries: 10,
  batch: 64,
};

/** The defaults for each kind of images: drawings, whose turned images are other classes, and photographs. */
export const fewShotDefaults: Record<'drawings' | 'photographs', Omit<FewShotConfig, 'form'>> = {
  drawings: {
    ...common,
    channels: 1,
    side: 28,
    drawings: true,
    background: 1,
    ways: [20],
    shots: [1, 5],
    turns: true,
    augment: { turns: true, shift: 0, mirror: false },
    warmUp: { steps: 6000, rate: 2e-3, beta: 1 },
    stageOne: { steps: 1500, rate: 5e-4, beta: 0.1 },
    stageTwo: { ...policy, ways: [20, 5] },
  },
  photographs: {
    ...common,
    channels: 3,
    side: 32,
    background: 0.5,
    ways: [5],
    shots: [1, 10],
    queries: 5,
    turns: false,
    augment: { turns: true, shift: 4, mirror: true },
    warmUp: { steps: 6000, rate: 2e-3, beta: 1 },
    stageOne: { steps: 1500, rate: 5e-4, beta: 0.1 },
    stageTwo: { ...policy, ways: [5] },
  },
};
