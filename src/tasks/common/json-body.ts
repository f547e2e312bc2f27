import { Problem, shortened } from '../../errors.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import type { TaskRequest } from '../../engine/types.ts';
import { readStopping } from './stopping-query.ts';

export interface JsonBody {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly model: string | undefined;
  readonly stopping: StoppingParameters;
}

/**
 * A JSON body with the task's own fields beside `model` and `stopping`; where body and query both say something of the
 * stopping, the body's word counts.
 * @throws Problem where it is not JSON, not an object, or has a field that nobody reads
 */
export function readJsonBody(request: TaskRequest, allowed: readonly string[]): JsonBody {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(request.body));
  } catch (error) {
    throw new Problem('bad-body', `The body is not JSON: ${(error as Error).message}.`);
  }
  const shape = `{${allowed.join(', ')}, model?, stopping?}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Problem('bad-body', `The body must be a JSON object ${shape}.`);
  const { model, stopping, ...fields } = value as Record<string, unknown>;
  const unknown = Object.keys(fields).find((key) => !allowed.includes(key));
  if (unknown !== undefined)
    throw new Problem(
      'bad-body',
      `The body has a field ${shortened(unknown)} that nobody reads; it must be ${shape}.`,
    );
  if (model !== undefined && typeof model !== 'string')
    throw new Problem('bad-parameter', 'model must be a string.');
  return {
    fields,
    model: model ?? request.model,
    stopping: { ...request.stopping, ...(stopping !== undefined && readStopping(stopping)) },
  };
}
