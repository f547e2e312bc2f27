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
  restarted(slot: WorkerSlot): void;
  abandoned(slot: WorkerSlot): void;
  log(message: string): void;
}

/** Keeps a fixed number of workers running; each that ends unasked is replaced in its slot. */
export class Supervisor {
  private readonly slots: readonly WorkerSlot[];
  private closing = false;

  /** @param start starts another worker and resolves when it is ready */
  constructor(
    handles: readonly WorkerHandle[],
    private readonly start: () => Promise<WorkerHandle>,
    private readonly events: SupervisorEvents,
  ) {
    this.slots = handles.map((handle) => ({
      handle,
      pending: 0,
      requests: 0,
      decoding: 0,
      ahead: 0,
      alive: true,
      abandoned: false,
    }));
    for (const slot of this.slots) this.attach(slot);
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

  /** Closes the workers and waits until they have ended. */
  async close(): Promise<void> {
    this.closing = true;
    await Promise.all(this.alive.map(({ handle }) => closeWorker(handle)));
  }

  private attach(slot: WorkerSlot): void {
    slot.handle.onMessage((message) => this.events.message(slot, message));
    slot.handle.onExit((reason) => this.ended(slot, reason ?? 'no reason given'));
  }

  private ended(slot: WorkerSlot, reason: string): void {
    slot.alive = false;
    if (this.closing) return;
    this.events.log(`a worker ended (${reason}); restarting it`);
    this.events.ended(slot, reason);
    void this.restart(slot);
  }

  private async restart(slot: WorkerSlot): Promise<void> {
    for (let failures = 1; !this.closing; failures++) {
      const handle = await this.start().catch((error: unknown) => {
        this.events.log(messageOf(error));
      });
      if (handle) {
        this.install(slot, handle);
        return;
      }
      if (failures === MAX_RESTARTS) {
        slot.abandoned = true;
        this.events.abandoned(slot);
      }
      await wait(backoffMs(failures));
    }
  }

  private install(slot: WorkerSlot, handle: WorkerHandle): void {
    if (this.closing) {
      handle.post({ type: 'close' });
      return;
    }
    Object.assign(slot, { handle, alive: true, abandoned: false });
    this.attach(slot);
    this.events.log('the worker was restarted');
    this.events.restarted(slot);
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
