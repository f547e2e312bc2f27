/** One line a request in the log, as for HTTP: for each unary call, and for each message of a stream. */
import {
  ResponderBuilder,
  ServerInterceptingCall,
  ServerListenerBuilder,
  status,
  type Metadata,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { problems, type Problem } from '../../errors.ts';
import { isLogged, requestLine } from '../logging.ts';
import { notesOf, type Notes } from '../notes.ts';
import { requestId } from '../request-ids.ts';
import { httpStatus } from './wire.ts';

/** Which requests are logged, and where. */
export interface RequestLog {
  /** The share of requests that get a line, 0..1; those that end with 5xx always do, unless it is 0. */
  readonly share: number;
  write: (line: object) => void;
}

/** What a line is about. */
interface Ended {
  readonly path: string;
  /** Of the call; undefined where it ended before any arrived. */
  readonly metadata: Metadata | undefined;
  readonly startedAt: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const CANCELLED = problems['client-closed-request'].status;

/** Logs unary calls of a service, and streams that are refused as a whole. */
export const logInterceptor =
  (log: RequestLog, service: string): ServerInterceptor =>
  ({ path, requestStream }, call) => {
    if (log.share === 0 || !path.startsWith(`/${service}/`))
      return new ServerInterceptingCall(call);
    const startedAt = performance.now();
    let metadata: Metadata | undefined;
    let [bytesIn, bytesOut, isDone] = [0, 0, false];
    const end = (code: status): void => {
      // The call is also told to be cancelled when it is over.
      if (isDone || (requestStream && [status.OK, status.CANCELLED].includes(code))) return;
      isDone = true;
      const notes = metadata ? notesOf(metadata) : {};
      const ended = { path, metadata, startedAt, bytesIn, bytesOut };
      writeLine(log, notes, ended, notes.code ? problems[notes.code].status : httpStatus(code));
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((received, next) => next((metadata = received)))
      .withOnReceiveMessage((message: unknown, next) => {
        bytesIn += sizeOf(message);
        next(message);
      })
      .withOnCancel(() => end(status.CANCELLED))
      .build();
    return new ServerInterceptingCall(
      call,
      new ResponderBuilder()
        .withStart((next) => next(listener))
        .withSendMessage((message: unknown, next) => {
          bytesOut += sizeOf(message);
          next(message);
        })
        .withSendStatus((sent, next) => {
          end(sent.code);
          next(sent);
        })
        .build(),
    );
  };

/** Logs a message of a stream, which has no status of its own. */
export function logMessage(
  log: RequestLog,
  notes: Notes,
  ended: Ended & { readonly problem?: Problem },
): void {
  writeLine(log, notes, ended, ended.problem?.status ?? httpStatus(status.OK));
}

function writeLine(log: RequestLog, notes: Notes, ended: Ended, code: number): void {
  if (!isLogged(log.share, code)) return;
  const { path, metadata, startedAt, bytesIn, bytesOut } = ended;
  log.write(
    requestLine(notes, {
      id: requestId(metadata?.get('x-request-id')[0]),
      method: 'gRPC',
      route: path,
      status: code,
      ms: performance.now() - startedAt,
      bytesIn,
      bytesOut,
      aborted: code === CANCELLED,
    }),
  );
}

/** Bytes of an infer message; others are small, and objects by the time that they get here. */
const sizeOf = (message: unknown): number => (Buffer.isBuffer(message) ? message.length : 0);
