/** What the requests in flight are counted for, with times that are given. */
import { afterEach, expect, it, vi } from 'vitest';
import { InFlight } from '../../src/engine/in-flight.ts';
import { Memory } from '../../src/engine/memory.ts';
import type { NewRequest } from '../../src/engine/pending.ts';
import type { WorkerSlot } from '../../src/engine/supervisor.ts';

afterEach(() => void vi.restoreAllMocks());

const newSlot = () =>
  ({ pending: 0, requests: 0, decoding: 0, ahead: 0, alive: true }) as WorkerSlot;
const ignore = () => undefined;

it('takes no request for a large one by its bytes alone', () => {
  const limits = { samples: 1000, seconds: 4, workers: 1 };
  const inFlight = new InFlight(limits, new Memory(1e9), ignore);
  const slot = newSlot();
  const add = (id: number, units: number) => {
    const given = { id, origin: { kind: 'denoise', units }, slot } as NewRequest;
    inFlight.add({ ...given, resolve: ignore, reject: ignore }, 1);
  };
  add(1, 5000);
  // Five kilobytes that stand for 4,900 tiles and 100 s.
  inFlight.receive(slot, { type: 'decoded', id: 1, work: { samples: 4900, ms: 100_000 } });
  expect(inFlight.refusal({ kind: 'denoise', units: 200_000 }, 1)).toBeUndefined();
  add(2, 200_000);
  expect(inFlight.samples).toBe(4900 + 250);
});

it('counts those that wait anew when work turns out to take longer than predicted', () => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const limits = { samples: 1000, seconds: 100, workers: 1 };
  const inFlight = new InFlight(limits, new Memory(1e9), ignore);
  const slot = newSlot();
  for (let id = 1; id <= 20; id++) {
    const given = { id, origin: { kind: 'denoise', units: 100 }, slot } as NewRequest;
    inFlight.add({ ...given, resolve: ignore, reject: ignore }, 1);
    inFlight.receive(slot, { type: 'decoded', id, work: { samples: 1, ms: 100 } });
  }
  expect(inFlight.seconds).toBeCloseTo(2);
  for (let id = 1; id <= 10; id++) {
    now += 300;
    inFlight.take(id, true);
  }
  expect(inFlight.seconds).toBeCloseTo(10 * 0.3);
  expect(slot.pending).toBeCloseTo(10 * 0.3, 3);
});
