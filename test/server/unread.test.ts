/** Clients that do not read their answers. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { cutOff, installUnreadLimit, type Sending } from '../../src/server/unread.ts';

describe('answers that are not read', () => {
  const sendingOf = (bytes: number, unread: number, since: number, gone: string[], name: string) =>
    ({
      bytes,
      since,
      response: { writableLength: unread, destroy: () => void gone.push(name) },
    }) as unknown as Sending;

  it('are given up, the slowest first, until the others fit', () => {
    const gone: string[] = [];
    const sending = new Set([
      sendingOf(100, 10, 0, gone, 'fast'),
      sendingOf(100, 90, 0, gone, 'slow'),
      sendingOf(100, 100, 0, gone, 'stopped'),
    ]);
    cutOff(sending, 200, 5000);
    expect(gone).toEqual([]);
    cutOff(sending, 150, 5000);
    expect(gone).toEqual(['stopped']);
    cutOff(sending, 50, 5000);
    expect(gone).toEqual(['stopped', 'slow']);
    expect(sending.size).toBe(1);
  });

  it('have two seconds, whatever they hold', () => {
    const gone: string[] = [];
    cutOff(new Set([sendingOf(100, 100, 4000, gone, 'new')]), 50, 5000);
    expect(gone).toEqual([]);
  });
});

describe('a client that reads nothing', () => {
  let app: FastifyInstance;
  afterEach(() => app.close());
  const BYTES = 32e6;

  const ask = async (): Promise<Socket> => {
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.pause().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    return socket;
  };

  it('is cut off when another answer needs the memory, and one that reads is not', async () => {
    app = fastify({ forceCloseConnections: true });
    installUnreadLimit(app, 40e6);
    let ended = 0;
    app.get('/', (_request, reply) => {
      reply.raw.on('close', () => ended++);
      return reply.send(Buffer.alloc(BYTES));
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const idle = await ask();
    await sleep(2100);
    expect(ended).toBe(0);
    const { port } = app.server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect((await answer.arrayBuffer()).byteLength).toBe(BYTES);
    idle.resume();
    let received = 0;
    idle.on('data', (chunk) => (received += chunk.length));
    await once(idle, 'close');
    expect(received).toBeLessThan(BYTES);
  });
});
