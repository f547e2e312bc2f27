/** Streams of requests and answers. Of what their clients do not read optional messages are dropped, and too much ends the stream. */
import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import type { TaskExit } from '../../engine/types.ts';
import { MAX_WAITING_BYTES } from '../events.ts';
import type { Caller } from '../perform.ts';
import { inStream } from './wire.ts';

/** Bytes written to all streams of a server that their clients have not taken. */
export class Unread {
  bytes = 0;

  /** @param most beyond it, streams that hold more than a little take no further requests */
  constructor(readonly most: number) {}
}

/** Writes the messages of one stream. */
export class StreamWriter {
  private waiting = 0;

  constructor(
    private readonly call: ServerDuplexStream<Buffer, Buffer>,
    private readonly unread: Unread,
  ) {}

  /** @param isOptional drops it while the client reads too slowly */
  write(message: Buffer, isOptional = false): void {
    if (isOptional && this.waiting > MAX_WAITING_BYTES) return;
    this.count(message.length);
    this.call.write(message, () => this.count(-message.length));
  }

  /** Ends the stream where its client sends requests and does not read the answers. @returns whether it did */
  endIfUnread(): boolean {
    if (this.waiting <= MAX_WAITING_BYTES || this.unread.bytes <= this.unread.most) return false;
    const details = `${this.waiting} bytes of answers are not read; read them before sending more requests.`;
    this.call.emit('error', { code: status.RESOURCE_EXHAUSTED, details });
    return true;
  }

  private count(bytes: number): void {
    this.waiting += bytes;
    this.unread.bytes += bytes;
  }
}

/**
 * Answers the messages of a stream. Requests run together; their results keep their order, and exits are sent as they are reached.
 * Errors are answers, so that the stream goes on.
 */
export function answerAll(
  call: ServerDuplexStream<Buffer, Buffer>,
  writer: StreamWriter,
  infer: (message: Buffer, caller: Caller) => Promise<Buffer>,
): void {
  const controller = untilCancelled(call);
  const { signal } = controller;
  const onExit = ({ answer }: TaskExit): void => {
    if (answer && !signal.aborted) writer.write(inStream(answer), true);
  };
  const caller = { signal, client: addressOf(call), onExit };
  let written = Promise.resolve();
  call.on('data', (message: Buffer) => {
    if (signal.aborted) return;
    if (writer.endIfUnread()) {
      controller.abort();
      return;
    }
    const answer = infer(message, caller);
    written = written.then(async () => {
      const message = await answer;
      if (!signal.aborted) writer.write(message);
    });
  });
  call.on('end', () => void written.then(() => call.end()));
}

/** The client's address without its port. */
export const addressOf = (call: { getPeer(): string }): string =>
  call.getPeer().replace(/:\d+$/, '');

/** Aborts when the client leaves. */
export function untilCancelled(call: {
  on(event: 'cancelled', listener: () => void): unknown;
}): AbortController {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort());
  return controller;
}
