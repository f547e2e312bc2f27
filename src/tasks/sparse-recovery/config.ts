/** The configuration of sparse recovery and its defaults. */
import Type, { type Static } from 'typebox';
import { defaultCoupled, defaultPublished } from '../../families/lista.ts';
import { defaultVamp } from '../../families/vamp.ts';
import {
  stageOneSchema,
  stageThreeSchema,
  stageTwoSchema,
  type StageTwoConfig,
} from '../../training/stages.ts';

/** Schema of a sparse-recovery model's training configuration. */
export const recoverySchema = Type.Object({
  form: Type.Union([Type.Literal('vamp'), Type.Literal('coupled'), Type.Literal('published')]),
  depth: Type.Integer({ minimum: 1 }),
  /** The share of entries that are not zero. */
  sparsity: Type.Number({ minimum: 0, maximum: 1 }),
  /** Signal-to-noise ratios in training, dB. */
  snr: Type.Array(Type.Number()),
  batch: Type.Integer({ minimum: 1 }),
  seed: Type.Integer(),
  stageOne: stageOneSchema,
  stageTwo: stageTwoSchema,
  stageThree: stageThreeSchema,
});
/** Training configuration of sparse recovery, as {@link recoverySchema} validates it. */
export type RecoveryConfig = Static<typeof recoverySchema>;

const common = {
  sparsity: 0.1,
  snr: [20, 30, 40],
  batch: 256,
  seed: 1,
  stageThree: { steps: 0, rate: 1e-3 },
};
const stageTwo: StageTwoConfig = {
  steps: 1500,
  rate: 3e-3,
  beta: 0.1,
  lambda: 1.5,
  divergence: 'forward',
};

/** The defaults of each form. */
export const recoveryDefaults: Record<RecoveryConfig['form'], RecoveryConfig> = {
  vamp: {
    form: 'vamp',
    depth: defaultVamp.depth,
    ...common,
    stageOne: { steps: 1000, rate: 1e-2, beta: 2 },
    // What one more layer gains a sample is known only in the mean: the reverse divergence stops by the mean.
    stageTwo: { ...stageTwo, steps: 600, rate: 1e-2, beta: 0.03, divergence: 'reverse' },
  },
  coupled: {
    form: 'coupled',
    depth: defaultCoupled.depth,
    ...common,
    stageOne: { steps: 3500, rate: 1e-3, beta: 2 },
    stageTwo,
  },
  published: {
    form: 'published',
    depth: defaultPublished.depth,
    ...common,
    stageOne: { steps: 20_000, rate: 5e-4, beta: 1 },
    stageTwo,
  },
};
