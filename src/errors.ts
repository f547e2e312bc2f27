/** Every failure the service can name: a stable code, its HTTP status and its title. */
export const problems = {
  'bad-parameter': { status: 400, title: 'A parameter is not valid' },
  'bad-body': { status: 400, title: 'The body is not valid' },
  'bad-image': { status: 400, title: 'The image cannot be decoded' },
  'bad-measurements': { status: 400, title: 'The measurements are not valid' },
  'not-calibrated': { status: 400, title: 'The model has no calibration table' },
  'wrong-task': { status: 400, title: 'The model belongs to another task' },
  'bad-request': { status: 400, title: 'The request is not valid HTTP' },
  'load-refused': { status: 400, title: 'The bundle cannot be loaded' },
  unauthorized: { status: 401, title: 'A token is needed' },
  forbidden: { status: 403, title: 'The service does not allow it' },
  'unknown-model': { status: 404, title: 'There is no such model' },
  'not-found': { status: 404, title: 'There is no such resource' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  'not-acceptable': { status: 406, title: 'None of the accepted types can be given' },
  timeout: { status: 408, title: 'The request did not arrive in time' },
  'too-large': { status: 413, title: 'The request is too large' },
  'unsupported-media-type': { status: 415, title: 'The content type is not supported' },
  misdirected: { status: 421, title: 'The service does not answer for this host' },
  overloaded: { status: 429, title: 'The service is at its bound' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  'client-closed-request': { status: 499, title: 'The client left' },
  internal: { status: 500, title: 'The service failed' },
  'bundle-refused': { status: 503, title: 'The model failed its checks' },
  'deadline-missed': { status: 503, title: 'The deadline cannot be met' },
  draining: { status: 503, title: 'The service is shutting down' },
} as const;

/** The stable code of a failure: a key of the table above. */
export type ProblemCode = keyof typeof problems;

/**
 * A failure with a place in the table above. `detail` is read by the caller of the service,
 * so it says what was wrong and what to change, and nothing internal.
 */
export class Problem extends Error {
  readonly code: ProblemCode;
  /** When to send the request again, s; for the answer's Retry-After. */
  readonly retryAfter: number | undefined;
  /** The model that the input decided on, for the metrics. */
  readonly model: string | undefined;

  constructor(
    code: ProblemCode,
    detail: string,
    options: ErrorOptions & {
      readonly retryAfter?: number | undefined;
      readonly model?: string | undefined;
    } = {},
  ) {
    // Nobody reads where a Problem was thrown, and finding out takes longer than the rest of a refusal; its cause tells.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(detail, options);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'Problem';
    this.code = code;
    this.retryAfter = options.retryAfter;
    this.model = options.model;
  }

  get status(): number {
    return problems[this.code].status;
  }
}

/** What a request ends with whose client has left. */
export const clientLeft = (): Problem =>
  new Problem('client-closed-request', 'The client left before the answer was ready.');

/** The most of a caller's text that a message repeats. */
const REPEATED = 80;

/** A caller's text as a message repeats it. */
export const shortened = (text: string): string =>
  text.length > REPEATED ? `${text.slice(0, REPEATED)}…` : text;

/** A caller's value as a message repeats it, whatever it is and however large. */
export function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array' : 'an object';
  return shortened(typeof value === 'number' ? String(value) : JSON.stringify(value));
}
