/** Supervises the workers: starts them, restarts those that end with exponential back-off, and closes them. */
import { messageOf } from '../util/message-of.ts';
import type { WorkerHandle } from './transport/handle.ts';
import type { FromWorker, ToWorker } from './transport/messages.ts';

/** Why a request fails that no worker can take. */
export const NO_WORKER = 'no worker is running';

/** Failed restarts in a row after which no request waits for the worker any longer; restarting goes on. */
export const MAX_RESTARTS = 5;
/** The wait after the first failed restart, ms. It doubles with each failure, up to MAX_BACKOFF_MS. */
export const BACKOFF_MS = 1_000;
/** The longest wait between two restart attempts, ms. */
export const MAX_BACKOFF_MS = 30_000;

/** One worker, or the one that replaces it after it ended. */
export interface WorkerSlot {
  handle: WorkerHandle;
  /** What was dispatched to the worker and is not yet answered, s of predicted compute. */
  pending: number;
  /** Requests that were dispatched to the worker and are not answered. */
  requests: number;
  /** Requests being decoded after a grant. */
  decoding: number;
  /** Compute of the requests that were granted, s; see `countedAhead`. */
  ahead: number;
  alive: boolean;
  /** True after MAX_RESTARTS failed restarts, until one succeeds; and of a stuck thread. */
  abandoned: boolean;
}

/** Callbacks of a supervisor: messages from workers, and changes in whether they run. */
export interface SupervisorEvents {
  message(slot: WorkerSlot, message: FromWorker): void;
  /** The worker ended unasked; it is being restarted. */
  ended(slot: WorkerSlot, reason: string): void;
  /** A worker is ready: one that was missing, or `again` one in the place of another that ended. */
  started(slot: WorkerSlot, again: boolean): void;
  abandoned(slot: WorkerSlot): void;
  log(message: string): void;
}

/** Keeps a fixed number of workers running; each that ends unasked is replaced in its slot. */
export class Supervisor {
  private readonly slots: WorkerSlot[] = [];
  /** Starts under way. A process that ends during one is aborted by ONNX Runtime. */
  private readonly starting = new Set<Promise<WorkerHandle | undefined>>();
  private closing = false;

  /**
   * @param start starts another worker and resolves when it is ready
   * @param missing workers that are still to be started
   */
  constructor(
    handles: readonly WorkerHandle[],
    private readonly start: () => Promise<WorkerHandle>,
    private readonly events: SupervisorEvents,
    missing = 0,
  ) {
    for (const handle of handles) this.add(handle);
    for (let i = 0; i < missing; i++) void this.startMissing();
  }

  get alive(): readonly WorkerSlot[] {
    return this.slots.filter(({ alive }) => alive);
  }

  /** The live worker with the least work; where none is alive, one that is being restarted and not abandoned. */
  leastLoaded(): WorkerSlot | undefined {
    return leastPending(this.alive) ?? leastPending(this.slots.filter((slot) => !slot.abandoned));
  }

  broadcast(message: ToWorker): void {
    for (const { handle } of this.alive) handle.post(message);
  }

  /**
   * Gives up a worker that is stuck. A process is killed, and replaced as one that ended by itself. A thread cannot be
   * ended during a run: it is left to itself and takes no more requests.
   * @returns whether it is replaced
   */
  condemn(slot: WorkerSlot): boolean {
    if (slot.handle.kill) {
      slot.handle.kill();
      return true;
    }
    Object.assign(slot, { alive: false, abandoned: true });
    return false;
  }

  /** Kills the workers that are processes; the service ends without waiting for them. */
  kill(): void {
    this.closing = true;
    for (const { handle } of this.slots) handle.kill?.();
  }

  /** Closes the workers, those that are starting too, and waits until they have ended. */
  async close(): Promise<void> {
    this.closing = true;
    const open = this.alive.map(({ handle }) => closeWorker(handle));
    await Promise.allSettled([...open, ...this.starting]);
  }

  private add(handle: WorkerHandle): WorkerSlot {
    const load = { pending: 0, requests: 0, decoding: 0, ahead: 0 };
    const slot = { handle, ...load, alive: true, abandoned: false };
    this.slots.push(slot);
    this.attach(slot);
    return slot;
  }

  private attach(slot: WorkerSlot): void {
    slot.handle.onMessage((message) => this.events.message(slot, message));
    slot.handle.onExit((reason) => this.ended(slot, reason ?? 'no reason given'));
  }

  private async startMissing(): Promise<void> {
    const handle = await this.untilStarted();
    if (handle) this.events.started(this.add(handle), false);
  }

  private ended(slot: WorkerSlot, reason: string): void {
    slot.alive = false;
    if (this.closing) return;
    this.events.log(`a worker ended (${reason}); restarting it`);
    this.events.ended(slot, reason);
    void this.restart(slot);
  }

  private async restart(slot: WorkerSlot): Promise<void> {
    const handle = await this.untilStarted(() => {
      slot.abandoned = true;
      this.events.abandoned(slot);
    });
    if (!handle) return;
    Object.assign(slot, { handle, alive: true, abandoned: false });
    this.attach(slot);
    this.events.log('the worker was restarted');
    this.events.started(slot, true);
  }

  /**
   * Tries to start a worker until it does.
   * @param givenUp is called after MAX_RESTARTS failures
   * @returns undefined where the supervisor closes meanwhile
   */
  private async untilStarted(givenUp?: () => void): Promise<WorkerHandle | undefined> {
    for (let failures = 1; !this.closing; failures++) {
      const attempt = this.startOne();
      this.starting.add(attempt);
      const handle = await attempt.catch((error: unknown) => this.events.log(messageOf(error)));
      this.starting.delete(attempt);
      if (handle || this.closing) return handle ?? undefined;
      if (failures === MAX_RESTARTS) givenUp?.();
      await wait(backoffMs(failures));
    }
    return undefined;
  }

  /** Starts a worker; where the supervisor closes meanwhile, closes it too. */
  private async startOne(): Promise<WorkerHandle | undefined> {
    const handle = await this.start();
    if (!this.closing) return handle;
    await closeWorker(handle);
    return undefined;
  }
}

/**
 * Starts `count` workers at once. Where one fails, those that did start are closed first, and `started` with them.
 * @throws the first failure
 */
export async function startAll(
  started: readonly WorkerHandle[],
  count: number,
  start: () => Promise<WorkerHandle>,
): Promise<WorkerHandle[]> {
  const results = await Promise.allSettled(Array.from({ length: count }, start));
  const handles = [
    ...started,
    ...results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
  ];
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return handles;
  await Promise.all(handles.map(closeWorker));
  throw failed.reason as Error;
}

function closeWorker(handle: WorkerHandle): Promise<void> {
  return new Promise((resolve) => {
    handle.onExit(() => resolve());
    handle.post({ type: 'close' });
  });
}

/** Exponential back-off after this many failed restarts in a row, ms. */
const backoffMs = (failures: number): number =>
  Math.min(BACKOFF_MS * 2 ** (failures - 1), MAX_BACKOFF_MS);

/** Does not keep the process alive. */
const wait = (ms: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, ms).unref());

const leastPending = (slots: readonly WorkerSlot[]): WorkerSlot | undefined =>
  slots.reduce<WorkerSlot | undefined>(
    (least, slot) => (least && least.pending <= slot.pending ? least : slot),
    undefined,
  );
