/** What the OpenAPI document says of a task's bodies and answers. Bodies are described, not validated: a worker reads them. */
import { problems } from '../errors.ts';
import { reasonNames } from '../stopping/reasons.ts';
import type { TaskRoute } from './task-routes.ts';

const binary = { type: 'string', format: 'binary' } as const;

const problem = {
  type: 'object',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(problems) },
    detail: { type: 'string', description: 'What was wrong, and what to change.' },
    instance: { type: 'string' },
  },
} as const;

const numbers = { type: 'array', items: { type: 'number' } } as const;
const base64 = { type: 'string', format: 'byte', description: 'An image file in base64.' } as const;
const reason = {
  type: 'string',
  enum: reasonNames,
} as const;
const pi = { ...numbers, description: 'π at the exits that ran.' } as const;
const stopping = {
  type: 'object',
  description: 'The stopping parameters, as in the query.',
} as const;

const imageForm = {
  'multipart/form-data': { type: 'object', properties: { image: binary }, required: ['image'] },
} as const;

/** By task, then by media type; a type that is not here is described as bytes. */
const bodies: Readonly<Record<string, Readonly<Record<string, object>>>> = {
  denoise: imageForm,
  recognize: imageForm,
  recover: {
    'application/json': {
      type: 'object',
      properties: {
        measurements: { oneOf: [numbers, { type: 'array', items: numbers }] },
        model: { type: 'string' },
        stopping,
      },
      required: ['measurements'],
    },
  },
  'few-shot': {
    'application/json': {
      type: 'object',
      properties: {
        support: {
          type: 'array',
          description: 'Images to learn from, of at least two classes; they may be of any size.',
          items: {
            type: 'object',
            properties: { label: { type: 'string' }, image: base64 },
            required: ['label', 'image'],
          },
        },
        query: { type: 'array', description: 'Images to be labelled.', items: base64 },
        model: { type: 'string' },
        stopping,
      },
      required: ['support', 'query'],
    },
    'multipart/form-data': {
      type: 'object',
      description:
        'The fields in order: a label counts for the support files after it, up to the next label.',
      properties: {
        label: { type: 'string' },
        support: { type: 'array', items: binary },
        query: { type: 'array', items: binary },
      },
      required: ['label', 'support', 'query'],
    },
  },
};

const scores = {
  ...numbers,
  description: 'The probability of each label, in the order of labels.',
} as const;

/** The answer's own properties, beside those that every answer has. */
const answers: Readonly<Record<string, object>> = {
  recognize: {
    label: { type: 'string', description: 'The likeliest class.' },
    scores: {
      type: 'array',
      description: 'The five likeliest classes with their probabilities.',
      items: {
        type: 'object',
        properties: { label: { type: 'string' }, score: { type: 'number' } },
      },
    },
    depth: { type: 'integer', description: 'The layer at which the answer was read out.' },
    reason,
    pi,
  },
  'few-shot': {
    labels: { type: 'array', items: { type: 'string' } },
    predictions: {
      type: 'array',
      items: { type: 'object', properties: { label: { type: 'string' }, scores } },
    },
    depth: { type: 'integer', description: 'Gradient steps taken.' },
    reason,
    pi,
  },
};

const json = {
  type: 'object',
  properties: {
    model: { type: 'string' },
    max_depth: { type: 'integer', description: "The model's depth T." },
    seed: { type: 'integer' },
    samples: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          depth: { type: 'integer' },
          reason,
          pi,
        },
        additionalProperties: true,
      },
    },
    timing: {
      type: 'object',
      properties: {
        queue_ms: { type: 'number' },
        compute_ms: { type: 'number' },
        total_ms: { type: 'number' },
      },
    },
  },
  additionalProperties: true,
} as const;

const headers = {
  'x-model': 'The model that answered.',
  'x-stop-depth': 'Depth of the deepest sample.',
  'x-stop-depth-mean': 'Mean depth over the samples.',
  'x-max-depth': "The model's depth T.",
  'x-stop-reason': 'Why the deepest sample stopped.',
  'x-seed': 'The seed, where depths were sampled.',
  'x-tolerance': 'The row of the calibration table that was used, with rule=tolerance.',
  'x-guaranteed': 'Whether the promise of that row holds for this answer: true or false.',
};

/** The JSON answer of a task: what every task says, and its own. */
const answerOf = (task: string): object =>
  answers[task]
    ? { ...json, properties: { ...json.properties, samples: undefined, ...answers[task] } }
    : json;

export function describeTask({ takes, gives, summary, task }: TaskRoute): object {
  const refusal = {
    description: 'What was wrong, and what to change.',
    content: { 'application/problem+json': { schema: problem } },
  };
  const described: [string, object][] = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ]);
  return {
    summary,
    operationId: task,
    tags: ['tasks'],
    consumes: takes,
    produces: gives,
    'x-body': Object.fromEntries(
      takes.map((type) => [type, { schema: bodies[task]?.[type] ?? binary }]),
    ),
    'x-answers': {
      200: {
        description: 'The answer, with the depth it took.',
        headers: Object.fromEntries(described),
        content: Object.fromEntries(
          gives.map((type) => [
            type,
            { schema: type === 'application/json' ? answerOf(task) : binary },
          ]),
        ),
      },
      400: refusal,
      413: refusal,
      415: refusal,
      429: refusal,
      503: refusal,
    },
  };
}
