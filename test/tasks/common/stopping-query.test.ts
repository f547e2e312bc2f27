import { describe, expect, it } from 'vitest';
import { Problem } from '../../../src/errors.ts';
import {
  readStopping,
  StoppingQuery,
  toStoppingParameters,
} from '../../../src/tasks/common/stopping-query.ts';

describe('stopping parameters', () => {
  it('are read from JSON, in the names of the wire', () => {
    const json = {
      rule: 'sample',
      threshold: 0.25,
      seed: 7,
      depth: 4,
      min_depth: 2,
      max_depth: 8,
      deadline_ms: 12.5,
    };
    const parameters = {
      rule: 'sample',
      threshold: 0.25,
      seed: 7,
      depth: 4,
      minDepth: 2,
      maxDepth: 8,
      deadlineMs: 12.5,
    };
    expect(readStopping(json)).toEqual(parameters);
    expect(toStoppingParameters({ max_depth: 8 })).toEqual({ maxDepth: 8 });
    expect(readStopping({})).toEqual({});
  });

  it.each([
    [
      { rule: 'none' },
      /rule must be tolerance, threshold, confidence, sample or fixed, not "none"/,
    ],
    [{ threshold: 1.5 }, /threshold must be a number from 0 to 1, not 1.5/],
    [{ threshold: '0.5' }, /threshold must be a number/],
    [{ seed: -1 }, /seed must be a whole number/],
    [{ depth: -1 }, /depth must be a whole number from 0/],
    [{ tolerance: 0 }, /tolerance must be a number above 0/],
    [{ depth: 1.5 }, /depth must be a whole number from 0/],
    [{ min_depth: null }, /min_depth must be/],
    [{ max_depth: [3] }, /max_depth must be/],
    [{ deadline_ms: -5 }, /deadline_ms must be/],
    [{ treshold: 0.5 }, /no stopping parameter "treshold"; there are rule, tolerance, threshold/],
    [[], /stopping must be an object/],
    [null, /stopping must be an object/],
  ])('refuses %j', (value, sentence) => {
    expect(() => readStopping(value)).toThrow(sentence);
    expect(() => readStopping(value)).toThrow(Problem);
  });

  it('are all described', () => {
    for (const property of Object.values(StoppingQuery.properties))
      expect(property).toHaveProperty('description');
  });
});
