import { describe, expect, it } from 'vitest';
import Type from 'typebox';
import { defaultAdam, defaultMuon } from '../../src/training/adam.ts';
import { parseConfig, parseStoredConfig } from '../../src/training/config.ts';
import { stageOneSchema } from '../../src/training/stages.ts';

const schema = Type.Object({
  order: Type.Union([Type.Literal('first'), Type.Literal('second')]),
  sigma: Type.Tuple([Type.Number(), Type.Number()]),
  clean: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  stageOne: stageOneSchema,
});
const defaults = {
  order: 'first' as const,
  sigma: [5, 55] as [number, number],
  clean: 0.5,
  stageOne: { steps: 10, rate: 1e-3, beta: 1 },
};
const parse = (given: unknown) => parseConfig(schema, defaults, given, 'my.json');

describe('a configuration over the defaults', () => {
  it('takes the optimiser’s options where the recipe has none, and orthogonalised steps only where they are asked for', () => {
    const given = (adam: object) => parse({ stageOne: { adam } }).stageOne;
    expect(given({ clipNorm: 2 })).toEqual({
      ...defaults.stageOne,
      adam: { ...defaultAdam, clipNorm: 2 },
    });
    expect(given({ kernels: { rate: 10 } })).toMatchObject({
      adam: { kernels: { ...defaultMuon, rate: 10 } },
    });
    expect(() => given({ kernels: { speed: 10 } })).toThrow(
      'kernels has no speed; it may have rate, momentum, weightDecay',
    );
  });

  it('takes a word or a number as temperature', () => {
    expect(parse({ stageOne: { beta: 'uniform' } }).stageOne.beta).toBe('uniform');
    expect(parse({ stageOne: { beta: 0.5 } }).stageOne.beta).toBe(0.5);
  });

  it.each<[unknown, string]>([
    [{ speed: 1 }, 'my.json has no speed; it may have order, sigma, clean, stageOne.'],
    [
      { stageOne: { beta: 'warm' } },
      'beta in stageOne must be a number, "uniform" or "last", not "warm".',
    ],
    [
      { stageOne: { steps: '10' } },
      'steps in stageOne must be a whole number, at least 0, not "10".',
    ],
    [{ stageOne: 3 }, 'stageOne in my.json must be an object, not 3.'],
    [{ order: 'third' }, 'order in my.json must be "first" or "second", not "third".'],
    [{ sigma: [1] }, 'sigma in my.json must be a list of 2 numbers, not [1].'],
    [{ clean: 2 }, 'clean in my.json must be a number, at least 0 and at most 1, not 2.'],
    [[], 'my.json must be an object.'],
  ])('refuses %j', (given, message) => {
    expect(() => parse(given)).toThrow(message);
  });
});

describe('the configuration in a manifest', () => {
  const stored = (given: unknown) => parseStoredConfig(schema, defaults, given, 'training.config');

  it('gets keys that older versions did not write, but no optional ones', () => {
    const { order, sigma, stageOne } = defaults;
    expect(stored({ sigma })).toEqual({ order, sigma, stageOne });
  });

  it('is checked, not cast', () => {
    expect(() => stored({ stageOne: { steps: 'many' } })).toThrow(
      /^training\.config is not valid at stageOne/,
    );
    expect(() => stored('words')).toThrow('training.config must be an object.');
  });
});
