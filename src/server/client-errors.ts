/** Answers requests that Node's HTTP parser refuses with a problem document, like all other errors. */
import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Problem } from '../errors.ts';
import { problemBody } from './problems.ts';

/** Writes the Problem to the socket, where no answer has begun there, and closes it. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  const { _httpMessage: response } = socket as Socket & {
    _httpMessage?: ServerResponse;
  };
  if (error.code === 'ECONNRESET' || !socket.writable || response?.headersSent) {
    socket.destroy(error);
    return;
  }
  const problem = problemOf(error.code);
  const body = Buffer.from(JSON.stringify(problemBody(problem, '')));
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${body.length}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ];
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]), () =>
    socket.destroy(),
  );
}

function problemOf(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers-too-large', 'The headers are larger than 16 KiB.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('too-large', 'The chunk extensions are too large.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem(
        'timeout',
        'The request took longer to arrive than the service waits (REQUEST_TIMEOUT).',
      );
    default:
      return new Problem('bad-request', 'The request cannot be read as HTTP/1.1.');
  }
}
