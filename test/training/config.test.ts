import { describe, expect, it } from 'vitest';
import { defaultAdam, defaultMuon } from '../../src/training/adam.ts';
import { withDefaults } from '../../src/training/config.ts';

const defaults = { stageOne: { steps: 10, beta: 1 } };

describe('a configuration over the defaults', () => {
  it('takes the optimiser’s options where the recipe has none, and orthogonalised steps only where they are asked for', () => {
    const given = (adam: object) => withDefaults(defaults, { stageOne: { adam } }).stageOne;
    expect(given({ clipNorm: 2 })).toEqual({
      steps: 10,
      beta: 1,
      adam: { ...defaultAdam, clipNorm: 2 },
    });
    expect(given({ kernels: { rate: 10 } })).toMatchObject({
      adam: { kernels: { ...defaultMuon, rate: 10 } },
    });
    expect(() => given({ kernels: { speed: 10 } })).toThrow(
      'kernels has no speed; it may have rate, momentum, weightDecay',
    );
  });

  it('takes a word or a number as temperature, and refuses what is of another kind', () => {
    expect(withDefaults(defaults, { stageOne: { beta: 'uniform' } }).stageOne.beta).toBe('uniform');
    expect(() => withDefaults(defaults, { stageOne: { beta: 'warm' } })).toThrow(
      'beta in stageOne must be a number, not "warm"',
    );
    expect(() => withDefaults(defaults, { stageOne: { steps: '10' } })).toThrow(
      'steps in stageOne must be a number',
    );
  });
});
