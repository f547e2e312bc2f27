/** OpenAPI descriptions of the routes of the Open Inference Protocol. */
import Type from 'typebox';
import { InferBody, JSON_LENGTH } from '../../tasks/open-inference/rest.ts';

const Scalars = Type.Record(
  Type.String(),
  Type.Union([Type.String(), Type.Number(), Type.Boolean()]),
);
const Shape = Type.Array(Type.Integer());
const Port = Type.Object({ name: Type.String(), datatype: Type.String(), shape: Shape });
const State = Type.Object({
  name: Type.String(),
  version: Type.String(),
  state: Type.String({ description: 'READY or UNAVAILABLE.' }),
  reason: Type.String(),
});
const NoParameters = Type.Object({ parameters: Type.Optional(Type.Object({})) });
const Changed = Type.Object({ name: Type.String(), state: Type.String() });
const Statistics = Type.Object({ model_stats: Type.Array(Type.Object({})) });

const InferAnswer = Type.Object({
  model_name: Type.String(),
  model_version: Type.String(),
  id: Type.Optional(Type.String()),
  parameters: Scalars,
  outputs: Type.Array(
    Type.Object({
      name: Type.String(),
      datatype: Type.String(),
      shape: Shape,
      parameters: Type.Optional(Scalars),
      data: Type.Optional(Type.Array(Type.Union([Type.Number(), Type.String(), Type.Null()]))),
    }),
    { description: "The model's outputs, depth [N], pi [N, exits] and reason [N]." },
  ),
});

const BINARY = `JSON of ${JSON_LENGTH} bytes, then the tensors in its order, little-endian.`;
const octets = (description: string) => ({
  'application/octet-stream': { schema: Type.String({ format: 'binary', description }) },
});
const JsonLength = {
  [JSON_LENGTH]: Type.Optional(Type.Integer({ minimum: 0, description: 'Bytes of JSON.' })),
};

/** Each operation: what it does, and its answer; infer has bodies of two types. */
const operations = {
  serverMetadata: {
    summary: 'Name, version and extensions of the server.',
    answer: Type.Object({
      name: Type.String(),
      version: Type.String(),
      extensions: Type.Array(Type.String()),
    }),
  },
  serverLive: {
    summary: 'The process answers.',
    answer: Type.Object({ live: Type.Boolean() }),
  },
  serverReady: {
    summary: 'Requests are accepted; else 503.',
    answer: Type.Object({ ready: Type.Boolean() }),
  },
  serverStatistics: { summary: 'Statistics of all models.', answer: Statistics },
  repositoryIndex: {
    summary: 'All models, refused ones with the reason.',
    body: Type.Object({
      ready: Type.Optional(Type.Boolean({ description: 'Only those that answer.' })),
    }),
    answer: Type.Array(State),
  },
  modelLoad: {
    summary:
      'Loads the folder of a model: a new one, or in place of the bundle that is served, on which requests in progress finish. Needs MANAGEMENT_TOKENS or ALLOW_REPOSITORY.',
    body: NoParameters,
    answer: Changed,
  },
  modelUnload: {
    summary: 'Serves a model no longer. Needs MANAGEMENT_TOKENS or ALLOW_REPOSITORY.',
    body: NoParameters,
    answer: Changed,
  },
  modelMetadata: {
    summary: 'Inputs and outputs of a model.',
    answer: Type.Object({
      name: Type.String(),
      versions: Type.Array(Type.String()),
      platform: Type.String(),
      inputs: Type.Array(Port),
      outputs: Type.Array(Port),
    }),
  },
  modelReady: {
    summary: 'Whether a model answers.',
    answer: Type.Object({ name: Type.String(), ready: Type.Boolean() }),
  },
  modelConfig: {
    summary: "A model's configuration in the form of Triton's.",
    answer: Type.Object({ name: Type.String(), max_batch_size: Type.Integer() }),
  },
  modelStatistics: { summary: 'Statistics of a model.', answer: Statistics },
  modelInfer: {
    summary:
      'Runs samples; each stops as deep as it needs. Stopping parameters go into parameters, such as {"max_depth": 6}.',
    body: InferBody,
    answer: InferAnswer,
  },
} as const;

/** The route's configuration with its OpenAPI description. */
export function describeV2(operation: keyof typeof operations, versioned = false) {
  const { summary, answer, ...given } = operations[operation];
  const body = 'body' in given && given.body;
  const changes = operation === 'modelLoad' || operation === 'modelUnload';
  const isInfer = operation === 'modelInfer';
  const name = Type.String({ description: "The model's name." });
  const params = operation.startsWith('model') && {
    params: Type.Object({ model: name, ...(versioned && { version: Type.String() }) }),
  };
  const failure = {
    description: 'What was wrong.',
    content: { 'application/json': { schema: Type.Object({ error: Type.String() }) } },
  };
  return {
    openapi: {
      summary,
      operationId: versioned ? `${operation}Version` : operation,
      tags: ['open inference'],
      ...params,
      ...(isInfer && { headers: Type.Object(JsonLength) }),
      ...(body && {
        body: {
          content: {
            'application/json': { schema: body },
            ...(isInfer && octets(`${BINARY} Where that is 0, the only input's values alone.`)),
          },
        },
      }),
      response: {
        200: {
          description: summary,
          content: { 'application/json': { schema: answer }, ...(isInfer && octets(BINARY)) },
        },
        ...(params && { 404: failure }),
        ...(operation === 'repositoryIndex' && { 400: failure }),
        ...(changes && { 400: failure, 401: failure, 403: failure, 503: failure }),
        ...(isInfer && { 400: failure, 413: failure, 429: failure }),
        ...(/Ready|Infer/.test(operation) && { 503: failure }),
      },
    },
  };
}
