/** Sparse recovery: measurement vectors in JSON, raw float32 or .npy, to signals in the same. */
import Type from 'typebox';
import type { Manifest } from '../../bundle/manifest.ts';
import { jsonNumbers } from '../../codecs/json-numbers.ts';
import { readNpy, writeNpy } from '../../codecs/npy.ts';
import type { DecodedRequest, RunResult, Sample, TaskAnswer } from '../../engine/types.ts';
import { Problem, shortened } from '../../errors.ts';
import { at, entry } from '../../util/at.ts';
import { answerSchema, Stop } from '../common/answers.ts';
import { checkPorts } from '../common/check.ts';
import { chooseModel } from '../common/choose-model.ts';
import {
  depthFields,
  depthHeaders,
  jsonAnswer,
  jsonRows,
  stopFields,
} from '../common/depth-report.ts';
import { exitsOf } from '../common/exits.ts';
import { jsonReader } from '../common/json-body.ts';
import { answerType, Bytes, JSON_TYPE, NPY_TYPE, OCTETS } from '../common/media-types.ts';
import type { Task, TaskRequest } from '../task.ts';

/** The most measurement vectors in one request. */
export const MOST_ROWS = 4096;

const Vector = Type.Array(Type.Number());
/** m of the shipped matrix: the example runs as it stands there. */
const SHIPPED_ROWS = 250;
const exampleOf = (m: number): number[] =>
  Array.from({ length: m }, (_, i) => Number(Math.sin(0.7 * i).toFixed(2)));
const reader = jsonReader(
  Type.Object({
    measurements: Type.Union([Vector, Type.Array(Vector)], {
      description: 'One vector of m numbers, or several.',
    }),
  }),
  { measurements: exampleOf(SHIPPED_ROWS) },
  'bad-measurements',
);

const Answer = answerSchema({
  signals: Type.Array(Vector, { description: 'The recovered signals, n numbers each.' }),
  samples: Type.Array(Type.Object(Stop)),
});

const RAW = 'Vectors of little-endian float32, one after the other.';
const NPY = 'A .npy array of shape (m,) or (N, m), of real numbers: floats, integers or bool.';

/** `POST /v1/recover`: measurement vectors [N,m] → signals [N,n], each with its own depth. */
export const sparseRecovery: Task = {
  name: 'sparse-recovery',
  route: 'recover',
  summary: 'Sparse signals from their measurements, each as deep as it needs.',
  takes: { [JSON_TYPE]: reader.schema, [OCTETS]: Bytes(RAW), [NPY_TYPE]: Bytes(NPY) },
  gives: {
    [JSON_TYPE]: Answer,
    [OCTETS]: Bytes(RAW),
    [NPY_TYPE]: Bytes('A .npy array of shape (n,) or (N, n).'),
  },
  exits: Type.Array(Type.Number(), { description: 'The signal at the exit.' }),
  query: {},
  async check(manifest, read) {
    checkPorts(manifest, { inputs: { measurements: 2 }, outputs: { signal: 2 } });
    if (!manifest.task_files.includes(MATRIX))
      throw new Error(`${manifest.name}: ${MATRIX} is not among its task files.`);
    const { shape } = readNpy(await read(MATRIX));
    const expected = [at(manifest.inputs, 0), at(manifest.outputs, 0)].map(({ shape }) => shape[1]);
    if (shape.length !== 2 || shape.some((size, i) => size !== expected[i]))
      throw new Error(
        `${MATRIX} of ${manifest.name} is (${shape.join(', ')}), not (${expected.join(', ')}).`,
      );
  },
  async decode(request, { models, admit }) {
    const { length } = request.body;
    if (length > SMALL_BODY) await admit?.({ bytes: MEMORY_FACTOR * length });
    return decode(request, models);
  },
};

/** Bodies up to this size are decoded at once, bytes. */
const SMALL_BODY = 2 ** 20;
/** Memory of a request from its decoding to its answer, in sizes of its body: parsed numbers, samples, results, JSON. */
const MEMORY_FACTOR = 6;

/** The task file that holds the measurement matrix, (m, n). */
const MATRIX = 'matrix.npy';

/** N vectors of m numbers, one after the other. */
interface Rows {
  readonly data: Float32Array;
  readonly count: number;
  /** The request held one bare vector, so the answer does too. */
  readonly bare: boolean;
}

function decode(request: TaskRequest, models: ReadonlyMap<string, Manifest>): DecodedRequest {
  const json = request.contentType === JSON_TYPE ? reader.read(request) : undefined;
  const manifest = chooseModel(models, 'sparse-recovery', json ? json.model : request.model);
  const { name, shape } = at(manifest.inputs, 0);
  const m = Number(shape[1]);
  const rows = json
    ? fromJson(json.fields.measurements, m)
    : request.contentType === NPY_TYPE
      ? fromNpy(request.body, m)
      : fromRaw(request.body, m);
  const bad = rows.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new Problem(
      'bad-measurements',
      `Measurement ${bad % m} of vector ${Math.floor(bad / m)} is ${rows.data[bad]}; every one must be a finite float32.`,
    );
  }
  const samples: Sample[] = Array.from({ length: rows.count }, (_, i) => ({
    [name]: { data: rows.data.slice(i * m, (i + 1) * m), dims: [m] },
  }));
  const accept = answerType(request, request.contentType);
  return {
    model: manifest.name,
    samples,
    stopping: json ? json.stopping : request.stopping,
    ...exitsOf(request, (_exit, outputs) => jsonNumbers(entry(outputs, 'signal').data)),
    encode: (result) => encode(result, accept, rows.bare),
  };
}

function fromJson(value: number[] | number[][], m: number): Rows {
  const bare = typeof value[0] === 'number';
  const vectors = (bare ? [value] : value) as number[][];
  if (value.length === 0)
    throw new Problem('bad-measurements', 'measurements is empty; send at least one vector.');
  checkCount(vectors.length);
  const data = new Float32Array(vectors.length * m);
  vectors.forEach((vector, i) => {
    if (vector.length !== m)
      throw new Problem(
        'bad-measurements',
        `Vector ${i} has ${vector.length} measurements; this model takes ${m}.`,
      );
    data.set(vector, i * m);
  });
  return { data, count: vectors.length, bare };
}

function fromRaw(body: Uint8Array, m: number): Rows {
  if (body.length === 0 || body.length % (4 * m) !== 0) {
    throw new Problem(
      'bad-measurements',
      `The body has ${body.length} bytes; it must be one or more vectors of ${m} little-endian float32, ${4 * m} bytes each.`,
    );
  }
  const count = body.length / (4 * m);
  checkCount(count);
  return { data: new Float32Array(new Uint8Array(body).buffer), count, bare: count === 1 };
}

function fromNpy(body: Uint8Array, m: number): Rows {
  const { shape, data } = npy(body);
  const bare = shape.length === 1;
  const [count = 0, width] = bare ? [1, shape[0]] : shape;
  if (shape.length < 1 || shape.length > 2 || width !== m) {
    const transposed = shape.length === 2 && count === m;
    throw new Problem(
      'bad-measurements',
      `The array's shape is (${shortened(shape.join(', '))}); it must be (${m},) or (N, ${m}).${transposed ? ' It looks transposed: send its .T.' : ''}`,
    );
  }
  if (count === 0)
    throw new Problem('bad-measurements', 'The array is empty; send at least one vector.');
  checkCount(count);
  return { data: Float32Array.from(data), count, bare };
}

function npy(body: Uint8Array): ReturnType<typeof readNpy> {
  try {
    return readNpy(body);
  } catch (error) {
    throw new Problem(
      'bad-measurements',
      `The body is not a .npy array that can be read. ${(error as Error).message}`,
    );
  }
}

function checkCount(count: number): void {
  if (count > MOST_ROWS)
    throw new Problem(
      'too-large',
      `The request holds ${count} vectors; send at most ${MOST_ROWS} at a time.`,
    );
}

async function encode(result: RunResult, accept: string, bare: boolean): Promise<TaskAnswer> {
  const signals = result.samples.map(({ outputs }) => entry(outputs, 'signal').data);
  checkFinite(signals);
  if (accept === JSON_TYPE) {
    const samples = result.samples.map(stopFields);
    const fields = { ...depthFields(result), samples };
    return jsonAnswer(result, fields, { name: 'signals', json: await jsonRows(signals) });
  }
  const n = at(signals, 0).length;
  const data = new Float32Array(signals.length * n);
  signals.forEach((signal, i) => data.set(signal, i * n));
  const body =
    accept === NPY_TYPE
      ? writeNpy({ shape: bare ? [n] : [signals.length, n], data })
      : new Uint8Array(data.buffer);
  return { contentType: accept, headers: depthHeaders(result), body };
}

/** @throws Problem where a signal is beyond float32: its measurements are near the largest float32, or the matrix is small */
function checkFinite(signals: readonly Float32Array[]): void {
  const i = signals.findIndex((signal) => !signal.every(Number.isFinite));
  if (i >= 0)
    throw new Problem(
      'bad-measurements',
      `The signal of vector ${i} does not fit float32; divide the measurements by a constant and multiply the answer by it.`,
    );
}
