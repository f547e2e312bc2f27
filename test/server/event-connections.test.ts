/** Event streams on real connections: failures after the first event, clients that leave, clients that read slowly. */
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import type { CallOptions, TaskExit } from '../../src/engine/types.ts';
import { Problem } from '../../src/errors.ts';
import { installBodies } from '../../src/server/body.ts';
import { Metrics } from '../../src/server/metrics.ts';
import { installTask } from '../../src/server/task-routes.ts';
import { sparseRecovery } from '../../src/tasks/sparse-recovery/serve.ts';

const exit = (depth: number, answer?: Uint8Array): TaskExit => ({
  sample: 0,
  depth,
  elapsedMs: depth,
  stopped: false,
  ...(answer && { answer }),
});
const answered = {
  answer: { contentType: 'application/json', headers: {}, body: Buffer.from('{"signals":[]}') },
  summary: {
    model: 'fake',
    maxDepth: 2,
    depths: [2],
    reasons: ['max_depth'],
    timing: { queueMs: 0, computeMs: 1, totalMs: 1 },
  },
};

let app: FastifyInstance;
afterEach(() => app.close());

/** The route on an engine that answers as `perform` does. */
async function serve(perform: (options: CallOptions) => Promise<object>) {
  const engine = {
    manifests: new Map([['fake', { name: 'fake', task: 'sparse-recovery', default: true }]]),
    admit: () => undefined,
    perform: (_pack: unknown, options: CallOptions) => perform(options),
  } as unknown as Engine;
  const metrics = new Metrics('test');
  app = fastify({ forceCloseConnections: true });
  await installBodies(app, 1_000_000);
  installTask(app, sparseRecovery, engine, metrics, 1_000_000);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const outcome = async () =>
    /stopwise_requests_total{model="fake",outcome="(\w+)"} 1/.exec(
      (await metrics.render()).text,
    )?.[1];
  return { port, outcome };
}

const ask = (port: number, signal?: AbortSignal) =>
  fetch(`http://127.0.0.1:${port}/v1/recover?preview=true`, {
    method: 'POST',
    body: '{"measurements": [1]}',
    headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
    ...(signal && { signal }),
  });

describe('an event stream', () => {
  it('ends with an error event where the request fails after the first event', async () => {
    const { port, outcome } = await serve(async ({ onExit }) => {
      onExit!(exit(1));
      await wait(20);
      throw new Problem('overloaded', 'Too much.');
    });
    const response = await ask(port);
    expect(response.status).toBe(200);
    const [first, second, rest] = (await response.text()).split('\n\n');
    expect(first).toMatch(/^event: exit\ndata: {"sample":0,"depth":1,"pi":null,"threshold":null,/);
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(second!)!;
    expect([name, rest]).toEqual(['error', '']);
    expect(JSON.parse(data!)).toMatchObject({
      status: 429,
      code: 'overloaded',
      detail: 'Too much.',
    });
    expect(await outcome()).toBe('overloaded');
  });

  it('sends an exit before the work goes on', async () => {
    let goOn = (): void => undefined;
    const { port } = await serve(async ({ onExit }) => {
      onExit!(exit(1));
      await new Promise<void>((resolve) => (goOn = resolve));
      return answered;
    });
    const reader = (await ask(port)).body!.getReader();
    expect(Buffer.from((await reader.read()).value).toString()).toMatch(/^event: exit\n/);
    goOn();
    expect(Buffer.from((await reader.read()).value).toString()).toBe(
      'event: result\ndata: {"signals":[]}\n\n',
    );
  });

  it('ends the work when the client leaves', async () => {
    let ended: Promise<void> | undefined;
    const { port, outcome } = await serve(async ({ onExit, signal }) => {
      onExit!(exit(1));
      ended = new Promise((resolve) => signal!.addEventListener('abort', () => resolve()));
      await ended;
      throw new Problem('client-closed-request', 'The client left.');
    });
    const controller = new AbortController();
    const reader = (await ask(port, controller.signal)).body!.getReader();
    await reader.read();
    controller.abort();
    await ended;
    await wait(20);
    expect(await outcome()).toBe('cancelled');
  });

  it('leaves out answers that a slow client does not read, and no event', async () => {
    const EXITS = 200;
    const answer = Buffer.from(JSON.stringify('x'.repeat(200_000)));
    let left = (): void => undefined;
    const told = new Promise<void>((resolve) => (left = resolve));
    const { port } = await serve(async ({ onExit }) => {
      for (let depth = 0; depth < EXITS; depth++) {
        onExit!(exit(depth, answer));
        await wait(1);
      }
      left();
      return answered;
    });
    const socket = connect(port, '127.0.0.1').pause();
    socket.write(
      'POST /v1/recover?preview=true HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\nconnection: close\r\n' +
        'content-type: application/json\r\ncontent-length: 21\r\n\r\n{"measurements": [1]}',
    );
    await told;
    let body = '';
    for await (const chunk of socket) body += String(chunk);
    expect(body.match(/event: exit/g)).toHaveLength(EXITS);
    expect(body).toContain('event: result\ndata: {"signals":[]}\n\n');
    const shown = body.match(/"answer"/g)!.length;
    expect(shown).toBeGreaterThan(0);
    // What the system's socket buffers take, some megabytes, counts as read.
    expect(shown).toBeLessThan(EXITS / 2);
  });
});
