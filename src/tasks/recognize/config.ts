/** The configuration of recognition models and its defaults. */
import Type, { type Static } from 'typebox';
import { defaultSdn } from '../../families/sdn.ts';
import { defaultMuon } from '../../training/adam.ts';
import { stageOneSchema, stageTwoSchema } from '../../training/stages.ts';

const positiveInteger = Type.Integer({ minimum: 1 });

/** Schema of a recognition model's training configuration. */
export const recognizeSchema = Type.Object({
  form: Type.Literal('sdn'),
  channels: Type.Union([Type.Literal(1), Type.Literal(3)]),
  /** Width and height of the images, pixels. */
  side: positiveInteger,
  /** Channels of each stage of the network, and its layers. */
  widths: Type.Array(positiveInteger),
  blocks: Type.Array(positiveInteger),
  exits: Type.Array(positiveInteger),
  /** Width of the policy's hidden layer. */
  hidden: positiveInteger,
  batch: positiveInteger,
  seed: Type.Integer(),
  /**
   * Side of the crops that the layers learn from, pixels. Smaller crops are cheaper, for a first part of the training;
   * the statistics and the policy come from whole images.
   */
  crop: positiveInteger,
  /** Pixels by which whole images are shifted. */
  shift: Type.Integer({ minimum: 0 }),
  mirror: Type.Boolean(),
  smoothing: Type.Number({ minimum: 0, maximum: 1 }),
  /** The share of the images that the policy learns from, and the layers do not. */
  held: Type.Number({ minimum: 0, maximum: 1 }),
  stageOne: stageOneSchema,
  stageTwo: stageTwoSchema,
});
/** Training configuration of a recognition model, as {@link recognizeSchema} validates it. */
export type RecognizeConfig = Static<typeof recognizeSchema>;

/** The defaults of each form. */
export const recognizeDefaults: Record<
  RecognizeConfig['form'],
  Omit<RecognizeConfig, 'channels'>
> = {
  sdn: {
    form: 'sdn',
    side: defaultSdn.side,
    widths: [...defaultSdn.widths],
    blocks: [...defaultSdn.blocks],
    exits: [...defaultSdn.exits],
    hidden: defaultSdn.hidden,
    batch: 64,
    seed: 1,
    crop: 32,
    shift: 4,
    mirror: true,
    smoothing: 0.1,
    held: 0.05,
    stageOne: {
      steps: 20_000,
      rate: 2e-3,
      beta: 'uniform',
      adam: { weightDecay: 0.01, beta2: 0.99, kernels: defaultMuon },
    },
    stageTwo: { steps: 400, rate: 2e-3, beta: 0.3, lambda: 0.5, divergence: 'forward' },
  },
};
