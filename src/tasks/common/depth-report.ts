/** What every answer says of its depth: as headers and as the fields of a JSON answer. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { jsonNumbers } from '../../codecs/json-numbers.ts';
import type { RunResult, SampleResult } from '../../engine/types.ts';
import { clock } from '../../util/clock.ts';

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

const meanDepth = ({ samples }: RunResult): number =>
  samples.reduce((sum, { depth }) => sum + depth, 0) / Math.max(samples.length, 1);

/** The sample that stopped deepest; the first of several. */
export const deepestOf = ({ samples }: RunResult): SampleResult =>
  samples.reduce((a, b) => (b.depth > a.depth ? b : a));

/** How a sample stopped, for JSON: `Stop` of the answers' schemas. */
export const stopFields = ({ depth, reason, pi, variant }: SampleResult) => ({
  depth,
  reason,
  pi: readablePi(pi),
  ...(variant !== undefined && { variant }),
});

/** The headers of an answer that is not JSON; reason and variant are those of the deepest sample. */
export function depthHeaders(result: RunResult): Record<string, string> {
  const deepest = deepestOf(result);
  const { queueMs, computeMs, totalMs } = result.timing;
  return {
    'x-model': result.model,
    'x-stop-depth': String(deepest.depth),
    'x-stop-depth-mean': String(round(meanDepth(result), 3)),
    'x-max-depth': String(result.maxDepth),
    'x-stop-reason': deepest.reason,
    ...(deepest.variant !== undefined && { 'x-variant': deepest.variant }),
    ...(result.seed !== undefined && { 'x-seed': String(result.seed) }),
    ...(result.tolerance && {
      'x-tolerance': String(result.tolerance.used),
      'x-guaranteed': String(result.tolerance.guaranteed),
    }),
    'server-timing': `queue;dur=${queueMs.toFixed(2)}, compute;dur=${computeMs.toFixed(2)}, total;dur=${totalMs.toFixed(2)}`,
  };
}

/** Fields common to all JSON answers: model, full depth, seed, tolerance and timing (ms). */
export function depthFields(result: RunResult): {
  model: string;
  max_depth: number;
  seed?: number;
  tolerance?: number;
  guaranteed?: boolean;
  timing: Record<string, number>;
} {
  const { queueMs, computeMs, totalMs } = result.timing;
  return {
    model: result.model,
    max_depth: result.maxDepth,
    ...(result.seed !== undefined && { seed: result.seed }),
    ...(result.tolerance && {
      tolerance: result.tolerance.used,
      guaranteed: result.tolerance.guaranteed,
    }),
    timing: {
      queue_ms: round(queueMs, 3),
      compute_ms: round(computeMs, 3),
      total_ms: round(totalMs, 3),
    },
  };
}

/** The greatest and the mean stopping depth over the samples of an answer. */
export const depthSummary = (result: RunResult): { depth: number; depth_mean: number } => ({
  depth: Math.max(...result.samples.map(({ depth }) => depth)),
  depth_mean: round(meanDepth(result), 3),
});

/** π to four digits: enough to compare with a threshold by eye. NaN, where it was not computed, becomes null in JSON. */
export const readablePi = (pi: readonly number[]): number[] =>
  pi.map((value) => Number(value.toPrecision(4)));

/**
 * A task answer whose body is `value` serialised as UTF-8 JSON, with the headers that every answer has.
 * @param last a further field whose value is JSON already, in parts
 */
export const jsonAnswer = (
  result: RunResult,
  value: object,
  last?: { readonly name: string; readonly json: readonly Uint8Array[] },
): { contentType: string; headers: Record<string, string>; body: Uint8Array } => ({
  contentType: 'application/json; charset=utf-8',
  headers: depthHeaders(result),
  body: last ? withField(value, last.name, last.json) : Buffer.from(JSON.stringify(value)),
});

/**
 * An object in UTF-8 JSON with a further field at its end.
 * @param object has fields
 * @param json the field's value, in parts
 */
export const withField = (object: object, name: string, json: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat([
    Buffer.from(`${JSON.stringify(object).slice(0, -1)},${JSON.stringify(name)}:`),
    ...json,
    Buffer.from('}'),
  ]);

/**
 * Lists of float32, which JSON.stringify would write with more digits and in four times the time. Long lists are written in
 * several turns of the event loop, so that other requests go on.
 */
export async function jsonRows(rows: readonly Float32Array[]): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [Buffer.from('[')];
  let turn = clock();
  for (const [i, row] of rows.entries()) {
    if (i > 0) parts.push(COMMA);
    parts.push(jsonNumbers(row));
    if (clock() - turn < LONGEST_TURN_MS) continue;
    await nextTurn();
    turn = clock();
  }
  return [...parts, Buffer.from(']')];
}

const COMMA = Buffer.from(',');
/** How long rows are written before other requests get a turn, ms. */
const LONGEST_TURN_MS = 10;
