import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  BACKOFF_MS,
  MAX_BACKOFF_MS,
  MAX_RESTARTS,
  startAll,
  Supervisor,
  type SupervisorEvents,
} from '../../src/engine/supervisor.ts';
import type { WorkerHandle } from '../../src/engine/transport/handle.ts';
import type { ToWorker } from '../../src/engine/transport/messages.ts';

/** A worker without a thread: it ends when it is told to close, or when the test ends it. */
class FakeWorker implements WorkerHandle {
  readonly received: ToWorker['type'][] = [];
  private readonly listeners: ((reason: string | undefined) => void)[] = [];

  post(message: ToWorker): void {
    this.received.push(message.type);
    if (message.type === 'close') this.end(undefined);
  }

  onMessage(): void {
    // It says nothing.
  }

  onExit(listener: (reason: string | undefined) => void): void {
    this.listeners.push(listener);
  }

  end(reason: string | undefined): void {
    this.listeners.splice(0).forEach((listener) => listener(reason));
  }
}

/** A supervisor of `workers`, whose restarts take what `start` gives; every event is noted. */
function supervise(
  workers: readonly WorkerHandle[],
  start: () => Promise<WorkerHandle>,
  missing = 0,
): { supervisor: Supervisor; events: string[] } {
  const events: string[] = [];
  const note = (what: string) => () => void events.push(what);
  const listeners: SupervisorEvents = {
    message: note('message'),
    ended: (_, reason) => void events.push(`ended: ${reason}`),
    started: (_, again) => void events.push(again ? 'restarted' : 'added'),
    abandoned: note('abandoned'),
    // What it gives back, as where the lines are kept, is nothing that was started.
    log: (message: string) => message.length,
  };
  return { supervisor: new Supervisor(workers, start, listeners, missing), events };
}

describe('the supervisor', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('restarts a worker that ended', async () => {
    const [first, second] = [new FakeWorker(), new FakeWorker()];
    const { supervisor, events } = supervise([first], () => Promise.resolve(second));
    first.end('killed by SIGABRT');
    expect(supervisor.alive).toHaveLength(0);
    expect(supervisor.leastLoaded()).toMatchObject({ alive: false });
    await vi.advanceTimersByTimeAsync(0);
    expect(events).toEqual(['ended: killed by SIGABRT', 'restarted']);
    expect(supervisor.alive.map(({ handle }) => handle)).toEqual([second]);
  });

  it('takes workers that are missing once they are ready, also where the first attempt fails', async () => {
    const [first, second] = [new FakeWorker(), new FakeWorker()];
    let attempts = 0;
    const start = () =>
      ++attempts === 1 ? Promise.reject(new Error('no memory')) : Promise.resolve(second);
    const { supervisor, events } = supervise([first], start, 1);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS - 1);
    expect(supervisor.alive.map(({ handle }) => handle)).toEqual([first]);
    await vi.advanceTimersByTimeAsync(1);
    expect(supervisor.alive.map(({ handle }) => handle)).toEqual([first, second]);
    expect(events).toEqual(['added']);
    second.end('exit code 1');
    expect(supervisor.alive).toHaveLength(1);
  });

  it('doubles the wait after each failed restart up to a maximum, and abandons the worker meanwhile', async () => {
    const worker = new FakeWorker();
    const replacement = new FakeWorker();
    const attempts: number[] = [];
    const begin = Date.now();
    const { supervisor, events } = supervise([worker], () => {
      attempts.push(Date.now() - begin);
      return attempts.length <= 8
        ? Promise.reject(new Error('no memory'))
        : Promise.resolve(replacement);
    });
    worker.end('exit code 1');
    await vi.advanceTimersByTimeAsync(BACKOFF_MS * (2 ** (MAX_RESTARTS - 1) - 1) - 1);
    expect(events).toEqual(['ended: exit code 1']);
    await vi.advanceTimersByTimeAsync(1);
    expect(events).toEqual(['ended: exit code 1', 'abandoned']);
    expect(supervisor.leastLoaded()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(10 * MAX_BACKOFF_MS);
    const waits = attempts.slice(1).map((time, i) => time - (attempts[i] ?? 0));
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => 1000 * seconds));
    expect(events).toEqual(['ended: exit code 1', 'abandoned', 'restarted']);
    expect(supervisor.leastLoaded()).toMatchObject({ alive: true, abandoned: false });
  });

  it('takes the live worker with the fewest samples', () => {
    const workers = [new FakeWorker(), new FakeWorker(), new FakeWorker()];
    const { supervisor } = supervise(workers, () => new Promise(() => undefined));
    const [a, b, c] = supervisor.alive;
    Object.assign(a!, { pending: 3 });
    Object.assign(b!, { pending: 2 });
    expect(supervisor.leastLoaded()).toBe(c);
    workers[2]!.end('exit code 1');
    expect(supervisor.leastLoaded()).toBe(b);
  });

  it('closes its workers and restarts none of them', async () => {
    const workers = [new FakeWorker(), new FakeWorker()];
    const start = vi.fn(() => Promise.resolve(new FakeWorker()));
    const { supervisor, events } = supervise(workers, start);
    await supervisor.close();
    await vi.advanceTimersByTimeAsync(MAX_BACKOFF_MS);
    expect(workers.map(({ received }) => received)).toEqual([['close'], ['close']]);
    expect(events).toEqual([]);
    expect(start).not.toHaveBeenCalled();
  });

  it.each([true, false])(
    'does not end before a worker that is starting was closed',
    async (isReplacement) => {
      const [worker, late] = [new FakeWorker(), new FakeWorker()];
      let finish: (handle: WorkerHandle) => void = () => undefined;
      const { supervisor, events } = supervise(
        [worker],
        () => new Promise((resolve) => (finish = resolve)),
        isReplacement ? 0 : 1,
      );
      if (isReplacement) worker.end('exit code 1');
      let closed = false;
      const closing = supervisor.close().then(() => (closed = true));
      await vi.advanceTimersByTimeAsync(1000);
      expect(closed).toBe(false);
      finish(late);
      await closing;
      expect(late.received).toEqual(['close']);
      expect(events).toEqual(isReplacement ? ['ended: exit code 1'] : []);
    },
  );
});

describe('startAll', () => {
  it('closes every started worker where one fails, and throws its error', async () => {
    const workers = [new FakeWorker(), new FakeWorker(), new FakeWorker()];
    const [first, ...others] = workers;
    let call = 0;
    const start = (): Promise<WorkerHandle> => {
      call++;
      return call === 2 ? Promise.reject(new Error('no memory')) : Promise.resolve(others.pop()!);
    };
    await expect(startAll([first!], 3, start)).rejects.toThrow('no memory');
    expect(workers.map(({ received }) => received)).toEqual([['close'], ['close'], ['close']]);
  });
});
