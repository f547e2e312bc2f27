/** The stopping parameters as callers write them: one schema that validates query strings and JSON bodies, and describes both. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { Problem, shown } from '../../errors.ts';
import { ruleNames, type StoppingParameters } from '../../stopping/parameters.ts';
import { stopRules } from '../../stopping/rules.ts';

const depth = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000, description }));

/** Schema of the stopping parameters, in snake_case; unknown parameters are refused. */
export const StoppingQuery = Type.Object(
  {
    rule: Type.Optional(
      Type.Enum([...ruleNames], {
        description: `${ruleNames.map((name) => `${name}: ${stopRules[name].help}`).join('; ')}. Where absent, the rule that a given parameter belongs to; else tolerance for a model with a certified table, threshold for others.`,
      }),
    ),
    tolerance: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 100,
        description:
          'The loss that is accepted: dB for images and signals, points of accuracy for classification. The largest certified row not above it is used; below the smallest, the strictest.',
      }),
    ),
    threshold: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description:
          'With rule=threshold or rule=confidence; the default is calibrated for each model.',
      }),
    ),
    seed: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2 ** 32 - 1,
        description: 'With rule=sample; drawn where it is not given.',
      }),
    ),
    depth: depth('With rule=fixed: one of the exits of the model.'),
    min_depth: depth('No sample stops before this depth.'),
    max_depth: depth('Every sample stops at the last exit up to this depth, or before.'),
    deadline_ms: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 3_600_000,
        description:
          'From the arrival of the whole request to the end of compute, ms; the best answer so far is given, or 503 where there is none.',
      }),
    ),
  },
  { additionalProperties: false },
);
/** Stopping parameters in snake_case, as {@link StoppingQuery} validates them. */
export type StoppingWire = Static<typeof StoppingQuery>;

/** What each parameter may be, for the sentence that refuses it. */
const allowed: Record<keyof StoppingWire, string> = {
  rule: `${ruleNames.slice(0, -1).join(', ')} or ${ruleNames.at(-1)}`,
  tolerance: 'a number above 0, up to 100',
  threshold: 'a number from 0 to 1',
  seed: 'a whole number from 0 to 4294967295',
  depth: 'a whole number from 0 on',
  min_depth: 'a whole number from 0 on',
  max_depth: 'a whole number from 0 on',
  deadline_ms: 'a number of milliseconds from 0 to 3600000',
};

const schema = Compile(StoppingQuery);

/**
 * Checks parameters as a JSON body gives them.
 * @throws Problem `bad-parameter`, naming the parameter and what it may be
 */
export function readStopping(value: unknown): StoppingParameters {
  if (schema.Check(value)) return toStoppingParameters(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Problem(
      'bad-parameter',
      `stopping must be an object such as {"rule": "fixed", "depth": 4}; its keys are ${Object.keys(allowed).join(', ')}.`,
    );
  }
  const wrong =
    schema
      .Errors(value)
      .find(({ instancePath }) => instancePath !== '')
      ?.instancePath.slice(1) ?? '';
  if (!isParameter(wrong))
    throw new Problem(
      'bad-parameter',
      `There is no stopping parameter ${shown(wrong)}; there are ${Object.keys(allowed).join(', ')}.`,
    );
  throw new Problem(
    'bad-parameter',
    `${wrong} must be ${allowed[wrong]}, not ${shown((value as StoppingWire)[wrong])}.`,
  );
}

/** Renames validated parameters to camelCase; absent ones stay absent. */
export function toStoppingParameters({
  min_depth,
  max_depth,
  deadline_ms,
  ...same
}: StoppingWire): StoppingParameters {
  return {
    ...same,
    ...(min_depth !== undefined && { minDepth: min_depth }),
    ...(max_depth !== undefined && { maxDepth: max_depth }),
    ...(deadline_ms !== undefined && { deadlineMs: deadline_ms }),
  };
}

const isParameter = (name: string): name is keyof StoppingWire => Object.hasOwn(allowed, name);
