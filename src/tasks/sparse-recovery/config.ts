/** The configuration of sparse recovery and its defaults. */
import Type, { type Static } from 'typebox';
import { defaultCoupled, defaultPublished } from '../../families/lista.ts';
import { defaultVamp } from '../../families/vamp.ts';
import { amplitudes, type Amplitude } from '../../data/amplitudes.ts';
import {
  stageOneSchema,
  stageThreeSchema,
  stageTwoSchema,
  type StageTwoConfig,
} from '../../training/stages.ts';
import { recoveryMix } from './traffic.ts';

/** An interval that every sample draws from. */
const Interval = Type.Object({
  from: Type.Number(),
  to: Type.Number(),
  spacing: Type.Union([Type.Literal('linear'), Type.Literal('log')]),
});

/** Schema of a sparse-recovery model's training configuration. */
export const recoverySchema = Type.Object({
  form: Type.Union([Type.Literal('vamp'), Type.Literal('coupled'), Type.Literal('published')]),
  depth: Type.Integer({ minimum: 1 }),
  /** The depths at which the policy is asked, rising, the last of them `depth`; every layer where absent. Of `vamp` alone. */
  exits: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1 })),
  /** The share of entries that are not zero. */
  sparsity: Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Interval]),
  /** Signal-to-noise ratios in training, dB. */
  snr: Type.Union([Type.Array(Type.Number(), { minItems: 1 }), Interval]),
  /** Laws of the amplitudes; normal where absent. */
  values: Type.Optional(Type.Array(Type.Enum(Object.keys(amplitudes) as Amplitude[]))),
  batch: Type.Integer({ minimum: 1 }),
  seed: Type.Integer(),
  stageOne: stageOneSchema,
  stageTwo: stageTwoSchema,
  stageThree: stageThreeSchema,
});
/** Training configuration of sparse recovery, as {@link recoverySchema} validates it. */
export type RecoveryConfig = Static<typeof recoverySchema>;

/** The conditions of the published experiment, which `train` also measures a model under. */
export const published = { sparsity: 0.1, snr: [20, 30, 40] };

const common = {
  ...published,
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
    sparsity: recoveryMix.sparsity,
    snr: recoveryMix.snr,
    values: recoveryMix.values,
    batch: 64,
    stageOne: { steps: 1500, rate: 5e-3, beta: 2 },
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
