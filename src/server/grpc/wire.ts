/** Errors in the words of gRPC, and the few bytes of messages that are read and written without decoding tensors. */
import { status, type ServiceError } from '@grpc/grpc-js';
import type { Problem } from '../../errors.ts';
import { methodNamed } from '../../tasks/open-inference/grpc-messages.ts';

/** HTTP statuses of problems as codes of gRPC; others are UNKNOWN. */
const codes: Readonly<Record<number, status>> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  413: status.RESOURCE_EXHAUSTED,
  429: status.RESOURCE_EXHAUSTED,
  499: status.CANCELLED,
  500: status.INTERNAL,
  503: status.UNAVAILABLE,
};

/** The HTTP status that stands for a code of gRPC; 500 for those that no problem has. */
export function httpStatus(code: status): number {
  if (code === status.OK) return 200;
  const [found = '500'] = Object.keys(codes).filter((http) => codes[Number(http)] === code);
  return Number(found);
}

/** The status that a problem ends a call with; `log` is told of those that are internal. */
export function toStatus(
  problem: Problem,
  log: (error: unknown) => void,
): Pick<ServiceError, 'code' | 'details'> {
  if (problem.code === 'internal') log(problem.cause ?? problem);
  return { code: codes[problem.status] ?? status.UNKNOWN, details: problem.message };
}

const stream = methodNamed('ModelStreamInfer');

/** A ModelStreamInferResponse with an error. */
export function streamError(problem: Problem, log: (error: unknown) => void): Buffer {
  return stream.responseSerialize({ error_message: toStatus(problem, log).details });
}

/** Field number 2, a message: `infer_response` of ModelStreamInferResponse. */
const INFER_RESPONSE = 0x12;
/** Field number 1, a text. */
const FIRST_TEXT = 0x0a;

/** A ModelInferResponse as the answer of a stream. */
export function inStream(response: Uint8Array): Buffer {
  const length: number[] = [];
  let left = response.length;
  for (; left > 0x7f; left = Math.floor(left / 128)) length.push((left % 128) | 0x80);
  return Buffer.concat([Buffer.from([INFER_RESPONSE, ...length, left]), response]);
}

/** The text of a message's field 1 where the message begins with it and it is short; else undefined. */
export function firstText(message: Buffer): string | undefined {
  const [tag, length = 0] = message;
  return tag === FIRST_TEXT && length < 0x80
    ? message.subarray(2, 2 + length).toString()
    : undefined;
}
