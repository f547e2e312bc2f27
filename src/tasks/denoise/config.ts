/** The configuration of denoising models and its defaults. */
import Type, { type Static } from 'typebox';
import { defaultDncnn } from '../../families/dncnn.ts';
import { defaultPublishedDncnn } from '../../families/published-dncnn.ts';
import { defaultMuon } from '../../training/adam.ts';
import { stageOneSchema, stageTwoSchema, type StageTwoConfig } from '../../training/stages.ts';

/** Schema of a denoising model's training configuration. */
export const denoiseSchema = Type.Object({
  /** `half`: bias-free at half resolution. `published`: full resolution and batch normalisation, an exit after every layer. */
  form: Type.Union([Type.Literal('half'), Type.Literal('published')]),
  channels: Type.Union([Type.Literal(1), Type.Literal(3)]),
  features: Type.Integer({ minimum: 1 }),
  depth: Type.Integer({ minimum: 1 }),
  exits: Type.Array(Type.Integer({ minimum: 0 })),
  /** Width of the policy's hidden layer. */
  hidden: Type.Integer({ minimum: 1 }),
  /** Bounds of the noise's standard deviation σ, of 255. */
  sigma: Type.Tuple([Type.Number(), Type.Number()]),
  /** Whether σ or its logarithm is uniform; σ where absent. */
  spread: Type.Optional(Type.Union([Type.Literal('uniform'), Type.Literal('log-uniform')])),
  /** The share of patches without noise; 0 where absent. */
  clean: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  /** Over the first `share` of the run the lower bound of σ falls from `from` to `sigma[0]`. */
  anneal: Type.Optional(Type.Object({ from: Type.Number(), share: Type.Number() })),
  /** The share of patches that are clipped and rounded as an 8-bit file would hold them. */
  clipped: Type.Number({ minimum: 0, maximum: 1 }),
  /** Stage I's loss at an exit; `relative` where absent. */
  loss: Type.Optional(Type.Union([Type.Literal('relative'), Type.Literal('log-mse')])),
  /** The share of patches whose noise is of every kind of the traffic; the others have independent noise. 0 where absent. */
  traffic: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  /** Side of the patches, pixels. */
  patch: Type.Integer({ minimum: 1 }),
  batch: Type.Integer({ minimum: 1 }),
  seed: Type.Integer(),
  stageOne: stageOneSchema,
  /**
   * What noise level and policy are trained on where the untouched image is an exit: so many images of this side, in pixels
   * (less where the images are smaller), with the noise of the traffic. The layers run on them once.
   */
  samples: Type.Optional(
    Type.Object({
      count: Type.Integer({ minimum: 1 }),
      side: Type.Integer({ minimum: 2 }),
      batch: Type.Integer({ minimum: 1 }),
    }),
  ),
  stageTwo: stageTwoSchema,
});
/** Training configuration of a denoising model, as {@link denoiseSchema} validates it. */
export type DenoiseConfig = Static<typeof denoiseSchema>;

const stageTwo: StageTwoConfig = {
  steps: 600,
  rate: 3e-3,
  beta: 0.05,
  lambda: 0.4,
  divergence: 'forward',
};

/** The defaults of each form. */
export const denoiseDefaults: Record<DenoiseConfig['form'], Omit<DenoiseConfig, 'channels'>> = {
  half: {
    form: 'half',
    ...defaultDncnn,
    exits: [...defaultDncnn.exits],
    sigma: [0.5, 75],
    spread: 'log-uniform',
    clean: 0.05,
    anneal: { from: 25, share: 0.2 },
    clipped: 0.25,
    traffic: 0.75,
    loss: 'log-mse',
    patch: 64,
    batch: 8,
    seed: 1,
    // After 400 steps the errors are a quarter below those of Adam alone.
    stageOne: {
      steps: 20_000,
      rate: 2e-3,
      beta: 1,
      adam: { kernels: { ...defaultMuon, rate: 10, weightDecay: 0 } },
    },
    samples: { count: 3000, side: 192, batch: 256 },
    stageTwo: { steps: 4000, rate: 3e-3, beta: 0.1, lambda: 0.1, divergence: 'gain' },
  },
  published: {
    form: 'published',
    ...defaultPublishedDncnn,
    exits: Array.from({ length: defaultPublishedDncnn.depth }, (_, i) => i + 1),
    sigma: [5, 55],
    spread: 'uniform',
    clean: 0,
    clipped: 0.25,
    loss: 'relative',
    patch: 40,
    batch: 8,
    seed: 1,
    stageOne: { steps: 20_000, rate: 1e-3, beta: 1 },
    stageTwo,
  },
};
