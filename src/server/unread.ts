/** Bounds the memory of answers that clients do not read: the slowest of them are cut off. */
import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { clock } from '../util/clock.ts';

/** A client has this long to read before it can be cut off, ms. */
const PATIENCE_MS = 2000;
/** Smaller answers fit into the buffers of the connection, bytes. */
const SMALL = 2 ** 16;

/** An answer that is being sent. */
export interface Sending {
  /** Its size, bytes. */
  readonly bytes: number;
  /** When it began; a time of `clock()`. */
  readonly since: number;
  readonly response: Pick<ServerResponse, 'writableLength' | 'destroy'>;
}

/**
 * Cuts off the clients that read most slowly, until the answers that wait hold no more than `limit` bytes. Those that
 * began less than two seconds ago are spared.
 */
export function cutOff(sending: Set<Sending>, limit: number, now: number): void {
  let unread = [...sending].reduce((sum, { response }) => sum + response.writableLength, 0);
  if (unread <= limit) return;
  const bySpeed = [...sending]
    .filter(({ since }) => now - since >= PATIENCE_MS)
    .sort((a, b) => speedOf(a, now) - speedOf(b, now));
  for (const slow of bySpeed) {
    if (unread <= limit) return;
    unread -= slow.response.writableLength;
    sending.delete(slow);
    slow.response.destroy();
  }
}

/** Bytes that the client has read in a millisecond. */
const speedOf = ({ bytes, since, response }: Sending, now: number): number =>
  (bytes - response.writableLength) / (now - since);

/** @param limit of what answers that are not read may hold together, bytes */
export function installUnreadLimit(app: FastifyInstance, limit: number): void {
  const sending = new Set<Sending>();
  app.addHook('onSend', (request, { raw }, payload, done) => {
    done();
    if (!(payload instanceof Uint8Array) || payload.length < SMALL) return;
    const now = clock();
    const answer = { bytes: payload.length, since: now, response: raw };
    sending.add(answer);
    raw.once('close', () => sending.delete(answer));
    const before = sending.size;
    cutOff(sending, limit, now);
    if (sending.size < before)
      request.log.warn(
        `${before - sending.size} clients that did not read their answers were cut off`,
      );
  });
}
