import type { RecoveryConfig } from '../../../src/tasks/sparse-recovery/config.ts';

type Change = (usual: RecoveryConfig) => Partial<RecoveryConfig>;

/** Variants of Stage I (layers). */
export const layers: Readonly<Record<string, Change>> = {
  'oracle weights': () => ({}),
  'uniform weights': ({ stageOne }) => ({ stageOne: { ...stageOne, beta: 'uniform' } }),
  'last layer only': ({ stageOne }) => ({ stageOne: { ...stageOne, beta: 'last' } }),
};

/** Variants of Stages II and III (policy). The first is the same network as the first of `layers`. */
export const policies: Readonly<Record<string, Change>> = {
  'reverse KL, λ = 2 dB': () => ({}),
  'λ = 0': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, lambda: 0 } }),
  'λ = 1 dB': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, lambda: 1 } }),
  'λ = 4 dB': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, lambda: 4 } }),
  'λ = 8 dB': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, lambda: 8 } }),
  'predicted gain, β = 0.1 dB': ({ stageTwo }) => ({
    stageTwo: { ...stageTwo, beta: 0.1, divergence: 'gain' },
  }),
  'forward KL': ({ stageTwo }) => ({ stageTwo: { ...stageTwo, divergence: 'forward' } }),
  'multiclass policy': ({ stageTwo }) => ({
    stageTwo: { ...stageTwo, policy: 'multiclass' },
  }),
  'with joint fine-tuning': ({ stageThree, stageOne }) => ({
    stageThree: { ...stageThree, steps: stageOne.steps / 4 },
  }),
};
