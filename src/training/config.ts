/** Configurations: a user's JSON file over the defaults, or the record in a manifest, both checked by a schema. */
import { readFile } from 'node:fs/promises';
import type { Static, TObject, TSchema } from 'typebox';
import Value from 'typebox/value';

/** The part of JSON Schema that messages are made from. */
interface SchemaNode {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly SchemaNode[];
  readonly items?: SchemaNode | readonly SchemaNode[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode & TSchema>>;
  readonly default?: unknown;
}

/** A user's configuration file that has been read, or none. */
export class ConfigFile {
  private constructor(
    private readonly given: unknown,
    private readonly name: string,
  ) {}

  /** @throws Error where the file cannot be read or is not JSON */
  static async read(file: string | undefined): Promise<ConfigFile> {
    if (file === undefined) return new ConfigFile({}, 'the configuration');
    try {
      return new ConfigFile(JSON.parse(await readFile(file, 'utf8')), file);
    } catch (error) {
      throw new Error(`${file} is not JSON that can be read: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** The file over the defaults. @throws Error naming the key that is not valid and what it may be */
  over<S extends TObject>(schema: S, defaults: NoInfer<Static<S>>): Static<S> {
    return parseConfig(schema, defaults, this.given, this.name);
  }
}

/**
 * `given` over `defaults`, objects key by key. Where the defaults lack an optional object, the schema's own `default`
 * is used.
 * @throws Error naming the key that is not valid and what it may be
 */
export function parseConfig<S extends TObject>(
  schema: S,
  defaults: NoInfer<Static<S>>,
  given: unknown,
  path = 'the configuration',
): Static<S> {
  const merged = merge(schema, defaults, given, path);
  return check(schema, merged, path);
}

/**
 * The configuration in a manifest. Required keys that it lacks come from the defaults, since older versions did not
 * write them.
 * @throws Error naming the key that is not valid and what it may be
 */
export function parseStoredConfig<S extends TObject, Config = Static<S>>(
  schema: S,
  defaults: Config,
  stored: unknown,
  path: string,
): Config {
  const { required } = schema as { readonly required?: readonly string[] };
  const usual = defaults as Readonly<Record<string, unknown>>;
  const missing = Object.fromEntries((required ?? []).map((key) => [key, usual[key]]));
  return check(schema, { ...missing, ...toRecord(stored, path) }, path);
}

function merge(schema: SchemaNode, base: unknown, given: unknown, path: string): unknown {
  const properties = schema.properties ?? {};
  const result = { ...(base as object | undefined) } as Record<string, unknown>;
  for (const [key, value] of Object.entries(toRecord(given, path))) {
    const property = properties[key];
    if (!property)
      throw new Error(`${path} has no ${key}; it may have ${Object.keys(properties).join(', ')}.`);
    if (property.properties && typeof value === 'object') {
      result[key] = merge(property, result[key] ?? property.default, value, key);
      continue;
    }
    if (!Value.Check(property, value))
      throw new Error(
        `${key} in ${path} must be ${expected(property)}, not ${JSON.stringify(value)}.`,
      );
    result[key] = value;
  }
  return result;
}

function check<S extends TObject>(schema: S, value: unknown, path: string): Static<S> {
  if (Value.Check(schema, value)) return value;
  const [first] = Value.Errors(schema, value);
  const place = first?.instancePath.slice(1).replaceAll('/', '.');
  throw new Error(`${path} is not valid${place ? ` at ${place}` : ''}: ${first?.message}.`);
}

function toRecord(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${path} must be an object.`);
  return value as Readonly<Record<string, unknown>>;
}

/** What a schema admits, as messages say it. */
function expected(schema: SchemaNode): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return orList(schema.anyOf.map(expected));
  if (schema.type === 'array') return expectedList(schema.items);
  if (schema.type === 'object') return 'an object';
  if (schema.type === 'boolean') return 'true or false';
  const kind = schema.type === 'integer' ? 'a whole number' : `a ${schema.type}`;
  const bounds = [
    ...(schema.minimum !== undefined ? [`at least ${schema.minimum}`] : []),
    ...(schema.exclusiveMinimum !== undefined ? [`above ${schema.exclusiveMinimum}`] : []),
    ...(schema.maximum !== undefined ? [`at most ${schema.maximum}`] : []),
  ];
  return bounds.length > 0 ? `${kind}, ${bounds.join(' and ')}` : kind;
}

function expectedList(items: SchemaNode['items']): string {
  if (Array.isArray(items)) return `a list of ${items.length} numbers`;
  return 'a list of numbers';
}

const orList = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} or ${parts.at(-1)!}`;
