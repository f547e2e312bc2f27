/** Sparse recovery: measurement vectors in JSON, raw float32 or .npy, to signals in the same. */
import { readNpy, writeNpy } from '../../codecs/npy.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import type {
  DecodedRequest,
  RunResult,
  Sample,
  TaskAnswer,
  PlainTaskDecoder,
  TaskRequest,
} from '../../engine/types.ts';
import { Problem, shown } from '../../errors.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import { readJsonBody } from '../common/json-body.ts';
import { chooseModel } from '../common/choose-model.ts';
import { depthFields, depthHeaders, jsonAnswer, readablePi } from '../common/depth-report.ts';

/** The most measurement vectors in one request. */
export const MOST_ROWS = 4096;

export const JSON_TYPE = 'application/json';
export const NPY_TYPE = 'application/x-npy';

/** N vectors of m numbers, one after the other. */
interface Rows {
  readonly data: Float32Array;
  readonly count: number;
  /** The request held one bare vector, so the answer does too. */
  readonly bare: boolean;
}

export const recover: PlainTaskDecoder = (request, models) =>
  new Promise((resolve) => resolve(decode(request, models)));

function decode(request: TaskRequest, models: ReadonlyMap<string, Manifest>): DecodedRequest {
  const json =
    request.contentType === JSON_TYPE ? readJsonBody(request, ['measurements']) : undefined;
  const manifest = chooseModel(models, 'sparse-recovery', json ? json.model : request.model);
  const { name, shape } = manifest.inputs[0]!;
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
  const stopping: StoppingParameters = json ? json.stopping : request.stopping;
  const accept = request.accept ?? (json ? JSON_TYPE : request.contentType);
  return {
    model: manifest.name,
    samples,
    stopping,
    encode: (result) =>
      Promise.resolve(encode(result, accept, manifest.outputs[0]!.name, rows.bare)),
  };
}

function fromJson(value: unknown, m: number): Rows {
  const refuse = (detail: string): never => {
    throw new Problem('bad-measurements', detail);
  };
  if (!Array.isArray(value))
    return refuse(`measurements must be an array of ${m} numbers, or an array of such arrays.`);
  const bare = !value.some(Array.isArray);
  const vectors = (bare ? [value] : value) as unknown[];
  if (value.length === 0) refuse('measurements is empty; send at least one vector.');
  checkCount(vectors.length);
  const data = new Float32Array(vectors.length * m);
  vectors.forEach((vector, i) => {
    if (!Array.isArray(vector))
      return refuse(`Vector ${i} of measurements is not an array; either all are, or none.`);
    if (vector.length !== m)
      refuse(`Vector ${i} has ${vector.length} measurements; this model takes ${m}.`);
    vector.forEach((number: unknown, j) => {
      if (typeof number !== 'number')
        refuse(`Measurement ${j} of vector ${i} is ${shown(number)}; it must be a number.`);
      data[i * m + j] = number as number;
    });
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
  const [count, width] = bare ? [1, shape[0]] : [shape[0]!, shape[1]];
  if (shape.length < 1 || shape.length > 2 || width !== m) {
    throw new Problem(
      'bad-measurements',
      `The array's shape is (${shape.join(', ')}); it must be (${m},) or (N, ${m}).`,
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

function encode(result: RunResult, accept: string, output: string, bare: boolean): TaskAnswer {
  const signals = result.samples.map(({ outputs }) => outputs[output]!.data);
  if (accept === JSON_TYPE) {
    const samples = result.samples.map(({ depth, reason, pi }) => ({
      depth,
      reason,
      pi: readablePi(pi),
    }));
    return jsonAnswer({
      ...depthFields(result),
      signals: signals.map((signal) => Array.from(signal, faithful)),
      samples,
    });
  }
  const n = signals[0]!.length;
  const data = new Float32Array(signals.length * n);
  signals.forEach((signal, i) => data.set(signal, i * n));
  const body =
    accept === NPY_TYPE
      ? writeNpy({ shape: bare ? [n] : [signals.length, n], data })
      : new Uint8Array(data.buffer);
  return { contentType: accept, headers: depthHeaders(result), body };
}

/** A float32 in nine digits, which give back the same float32, rather than in the seventeen of a double. */
const faithful = (value: number): number => (value === 0 ? 0 : Number(value.toPrecision(9)));
