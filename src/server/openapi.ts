/** OpenAPI description of a task's route, from the task's schemas. */
import Type, { type TSchema } from 'typebox';
import { problems } from '../errors.ts';
import { EVENT_STREAM, FORM } from '../tasks/common/media-types.ts';
import type { Task } from '../tasks/task.ts';

/** RFC 9457. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.Enum(Object.keys(problems)),
    detail: Type.String({ description: 'What was wrong, and what to change.' }),
    instance: Type.String(),
  },
  { $id: 'Problem' },
);

const depthHeaders: Readonly<Record<string, string>> = {
  'x-model': 'The model that answered.',
  'x-stop-depth': 'Depth of the deepest sample.',
  'x-stop-depth-mean': 'Mean depth over the samples.',
  'x-max-depth': "The model's depth T.",
  'x-stop-reason': 'Why the deepest sample stopped.',
  'x-variant':
    'The variant in which the deepest sample ran, such as int8, or float; of models that have variants.',
  'x-seed': 'The seed, where depths were sampled.',
  'x-tolerance': 'The row of the calibration table that was used, with rule=tolerance.',
  'x-guaranteed': 'Whether the promise of that row holds for this answer: true or false.',
  'server-timing': 'queue, compute and total, ms.',
  'x-request-id': "The request's own x-request-id, or one that was drawn.",
};

const contentOf = (schemas: Readonly<Record<string, TSchema>>) =>
  Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, { schema }]));

/** The parts of an OpenAPI document that describe bodies. */
interface Paths {
  readonly paths?: Readonly<Record<string, { readonly post?: { readonly requestBody?: Body } }>>;
}
interface Body {
  required?: boolean;
  readonly content?: Record<string, Media>;
}
interface Media {
  readonly schema?: {
    readonly type?: string;
    readonly required?: readonly string[];
    readonly properties?: Record<string, { items?: { format?: string } }>;
  };
  encoding?: Record<string, object>;
}

/**
 * Says what fastify's plugin takes from no route, in place: in forms several texts of one name are fields of their own, which
 * Swagger UI would join by commas; and an object without required fields may be left out.
 */
export function completeBodies({ paths = {} }: Paths): void {
  for (const { post } of Object.values(paths)) {
    const { requestBody } = post ?? {};
    const { content = {} } = requestBody ?? {};
    const form = content[FORM];
    const texts = Object.entries(form?.schema?.properties ?? {}).filter(
      ([, { items }]) => items && items.format !== 'binary',
    );
    if (form && texts.length > 0)
      form.encoding = Object.fromEntries(
        texts.map(([name]) => [name, { style: 'form', explode: true }]),
      );
    const isOptional = Object.values(content).every(
      ({ schema }) => schema?.type === 'object' && !schema.required?.length,
    );
    if (requestBody && isOptional) requestBody.required = false;
  }
}

/** Event streams have no schema in OpenAPI 3.1 but that of a text. */
function eventsOf({ exits }: Task): Readonly<Record<string, TSchema>> {
  if (!exits) return {};
  const { description = '' } = exits as { description?: string };
  return {
    [EVENT_STREAM]: Type.String({
      description: `Server-sent events. \`exit\` for each sample and exit that it reaches, with {sample, depth, pi, threshold, tolerance, elapsed_ms, stopped} and, with preview=true, answer: ${description} pi is null where it was not computed, as at the last exit; threshold where the policy cannot stop the sample; tolerance is the smallest of the calibration table whose certified rule stops the sample there, and absent where none does. Then \`result\`, with the JSON answer; or \`error\`, with a problem.`,
    }),
  };
}

const refusals = [400, 401, 404, 406, 413, 415, 421, 429, 500, 503] as const;

/** Responses for these error statuses. */
export const refusalsOf = (statuses: readonly number[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: Object.values(problems)
          .filter((problem) => problem.status === status)
          .map(({ title }) => title)
          .join('; or: '),
        content: { 'application/problem+json': { schema: Type.Ref('Problem#') } },
      },
    ]),
  );

/** The route's schema without its query. Bodies are documented here and validated in the worker. */
export function describeTask(task: Task): object {
  const { route, summary, takes, gives, headers: own } = task;
  const headers = Object.fromEntries(
    Object.entries({ ...depthHeaders, ...own }).map(([name, description]) => [
      name,
      { type: 'string', description },
    ]),
  );
  return {
    summary,
    operationId: route,
    tags: ['tasks'],
    body: { content: contentOf(takes) },
    response: {
      200: {
        description: `The answer, with the depth it took.${task.exits ? ' An event stream has none of the headers about depth.' : ''}`,
        headers,
        content: contentOf({ ...gives, ...eventsOf(task) }),
      },
      ...refusalsOf(refusals),
    },
  };
}
