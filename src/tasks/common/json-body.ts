/** JSON bodies: one schema validates them, types them and describes them in OpenAPI. */
import Type, { type Static, type TObject, type TProperties, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Problem, shortened, shown, type ProblemCode } from '../../errors.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import type { TaskRequest } from '../task.ts';
import { checkJsonBounds } from './json-bounds.ts';
import { readStopping, StoppingQuery } from './stopping-query.ts';

/** A validated JSON body; `model` and `stopping` are already merged with those of the query. */
export interface JsonBody<Fields> {
  /** The task's own fields. */
  readonly fields: Fields;
  readonly model: string | undefined;
  readonly stopping: StoppingParameters;
}

/** Parses and validates the JSON bodies of one task, and describes them in OpenAPI. */
export interface JsonReader<Fields> {
  /** The whole body, for OpenAPI. */
  readonly schema: TSchema;
  /**
   * Reads and validates a body. Where body and query both set a stopping parameter, the body's value counts.
   * @throws Problem naming the field and what it must be
   */
  read(request: TaskRequest): JsonBody<Fields>;
}

/**
 * A reader of bodies with a task's own fields beside `model` and `stopping`.
 * @param example a body that the shipped models answer as it stands; without one, tools make values up for every field
 * @param code of the problem where one of the own fields is wrong
 */
export function jsonReader<P extends TProperties>(
  own: TObject<P>,
  example?: object,
  code: ProblemCode = 'bad-body',
): JsonReader<Static<TObject<P>>> {
  const compiled = Compile(own);
  const schema = Type.Object(
    {
      ...own.properties,
      model: Type.Optional(
        Type.String({ description: "A model's name; counts more than the query's." }),
      ),
      stopping: Type.Optional(StoppingQuery),
    },
    example && { examples: [example] },
  );
  const names = Object.keys(own.properties);
  const shape = `{${names.join(', ')}, model?, stopping?}`;
  return {
    schema,
    read(request) {
      const { model, stopping, ...fields } = parseObject(request.body, shape);
      const unknown = Object.keys(fields).find((key) => !names.includes(key));
      if (unknown !== undefined)
        throw new Problem(
          'bad-body',
          `unknown field ${shortened(unknown)}; the body must be ${shape}.`,
        );
      if (model !== undefined && typeof model !== 'string')
        throw new Problem('bad-parameter', 'model must be a string.');
      if (!compiled.Check(fields)) throw new Problem(code, explainPart(fields, compiled));
      return {
        fields,
        model: model ?? request.model,
        stopping: { ...request.stopping, ...(stopping !== undefined && readStopping(stopping)) },
      };
    },
  };
}

/**
 * Parses a JSON object within the bounds on JSON bodies.
 * @param shape the object in words, for messages
 * @throws Problem `bad-body` or `too-large`
 */
export function parseObject(bytes: Uint8Array, shape: string): Record<string, unknown> {
  checkJsonBounds(bytes);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new Problem('bad-body', `The body is not JSON: ${shortened((error as Error).message)}.`, {
      cause: error,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Problem('bad-body', `The body must be a JSON object ${shape}.`);
  return value as Record<string, unknown>;
}

/** Elements of an array that are looked at together for an error: the time to find the errors of a value grows faster than its size. */
const PART = 256;

interface Validator {
  Check(value: unknown): boolean;
  Errors(value: unknown): readonly { readonly instancePath: string; readonly message: string }[];
}

/** Validates long arrays in parts, each with the array's first element, and returns the first error; fields without a long array at once. */
function explainPart(fields: Readonly<Record<string, unknown>>, validator: Validator): string {
  const parts = { ...fields };
  for (const [name, array] of Object.entries(fields))
    if (Array.isArray(array) && array.length > PART) parts[name] = array.slice(0, 1);
  if (!validator.Check(parts)) return explain(parts, validator.Errors(parts));
  for (const [name, array] of Object.entries(fields)) {
    if (!Array.isArray(array)) continue;
    for (let at = 1; at < array.length; at += PART) {
      const part = { ...parts, [name]: [array[0], ...(array.slice(at, at + PART) as unknown[])] };
      if (!validator.Check(part))
        return explain(part, validator.Errors(part), { name, before: at - 1 });
    }
  }
  return 'The values of the body do not go together.';
}

/** The deepest of the errors in a sentence: `measurements[3][7] must be a number, not null.` */
export function explain(
  fields: unknown,
  errors: ReturnType<Validator['Errors']>,
  moved?: { readonly name: string; readonly before: number },
): string {
  const depth = (path: string): number => path.split('/').length;
  const { instancePath, message } = errors.reduce((a, b) =>
    depth(b.instancePath) > depth(a.instancePath) ? b : a,
  );
  const keys = instancePath.split('/').slice(1);
  const place = keys.reduce(
    (path, key) =>
      path +
      (/^\d+$/.test(key)
        ? `[${path === moved?.name && key !== '0' ? Number(key) + moved.before : key}]`
        : path === ''
          ? key
          : `.${key}`),
    '',
  );
  if (message === 'schema is false') return `unknown field ${shortened(place)}.`;
  const needed = message.match(/required properties (.*)/)?.[1];
  if (needed !== undefined) return `${place || 'The body'} needs ${needed}.`;
  const found = keys.reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | undefined)?.[key],
    fields,
  );
  const kind = message
    .replace(/^must be (?=array|integer|object)/, 'must be an ')
    .replace(/^must be (?=boolean|number|string)/, 'must be a ');
  return `${shortened(place)} ${kind}, not ${shown(found)}.`;
}
