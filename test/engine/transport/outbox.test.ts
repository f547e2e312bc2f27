import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { WorkerLine } from '../../../src/engine/transport/handle.ts';
import type { FromWorker } from '../../../src/engine/transport/messages.ts';
import { Outbox, unpacked } from '../../../src/engine/transport/outbox.ts';

type Sent = { readonly types: string[]; readonly transfer: number };

function outbox(): { box: Outbox; sent: Sent[] } {
  const sent: Sent[] = [];
  const line: Pick<WorkerLine, 'post'> = {
    post: (message, transfer = []) =>
      sent.push({ types: unpacked(message).map(({ type }) => type), transfer: transfer.length }),
  };
  return { box: new Outbox(line), sent };
}

const pong: FromWorker = { type: 'pong' };
const running: FromWorker = { type: 'running', ids: [1], ms: 1 };
const segments: FromWorker = { type: 'segments', runs: [] };

it('sends the messages of one turn together and in order, with all that they transfer', async () => {
  const { box, sent } = outbox();
  box.post(running, [new ArrayBuffer(1)]);
  box.post(pong, [new ArrayBuffer(1)]);
  expect(sent).toEqual([]);
  await turn();
  box.post(segments);
  await turn();
  expect(sent).toEqual([
    { types: ['running', 'pong'], transfer: 2 },
    { types: ['segments'], transfer: 0 },
  ]);
});

it('is sent before work that begins with an immediate of its own', async () => {
  const { box, sent } = outbox();
  box.post(running);
  await new Promise<void>((resolve) => setImmediate(() => resolve(expect(sent).toHaveLength(1))));
});

it('keeps messages back while it is held, and lets them go when released or with nothing to wait for', async () => {
  const { box, sent } = outbox();
  box.hold();
  box.post(running);
  await turn();
  await turn();
  expect(sent).toEqual([]);
  box.post(pong);
  box.release();
  await turn();
  expect(sent).toEqual([{ types: ['running', 'pong'], transfer: 0 }]);
  box.release();
  await turn();
  expect(sent).toHaveLength(1);
});

it('sends at once before it is closed', () => {
  const { box, sent } = outbox();
  box.post(pong);
  box.flush();
  expect(sent).toEqual([{ types: ['pong'], transfer: 0 }]);
});
