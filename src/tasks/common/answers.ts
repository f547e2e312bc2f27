/** Schemas of what every JSON answer says. */
import Type, { type TProperties } from 'typebox';
import { reasonNames, stopReasons } from '../../stopping/reasons.ts';

const Timing = Type.Object(
  {
    queue_ms: Type.Number({ description: 'From arrival until the first segment ran.' }),
    compute_ms: Type.Number({ description: 'Time in which a segment or decoder ran.' }),
    total_ms: Type.Number({ description: 'From arrival until the end of compute.' }),
  },
  { description: 'Milliseconds.' },
);

/** How one sample stopped. */
export const Stop = {
  depth: Type.Integer({ description: 'Layers run.' }),
  reason: Type.Enum(reasonNames, {
    description: `Why the sample stopped. ${reasonNames.map((name) => `${name}: ${stopReasons[name]}`).join('; ')}.`,
  }),
  pi: Type.Array(Type.Union([Type.Number(), Type.Null()]), {
    description: 'π at the exits that were reached; null where it was not computed.',
  }),
  variant: Type.Optional(
    Type.String({
      description: 'The variant that ran, such as int8, or float; where the model has variants.',
    }),
  ),
};

/** A JSON answer: a task's own fields beside those that every answer has. */
export const answerSchema = <P extends TProperties>(own: P) =>
  Type.Object({
    model: Type.String({ description: 'The model that answered.' }),
    max_depth: Type.Integer({ description: "The model's depth T." }),
    seed: Type.Optional(Type.Integer({ description: 'With rule=sample.' })),
    tolerance: Type.Optional(
      Type.Number({ description: 'With rule=tolerance: the row of the calibration table used.' }),
    ),
    guaranteed: Type.Optional(
      Type.Boolean({ description: 'Whether the promise of that row holds for this answer.' }),
    ),
    ...own,
    timing: Timing,
  });
