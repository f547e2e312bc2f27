/** Dispatches requests to workers and bounds the samples in flight. */
import type { Manifest } from '../bundle/manifest.ts';
import type { Refusal } from '../bundle/read.ts';
import { Problem } from '../errors.ts';
import type { Provider } from '../runtime/session.ts';
import type { StoppingParameters } from '../stopping/parameters.ts';
import { clock } from '../util/clock.ts';
import { exitShare, NO_LOAD, refusal, updateLoad } from './admission.ts';
import { startPool, type EngineOptions, type Pool } from './pool.ts';
import { Supervisor, type WorkerSlot } from './supervisor.ts';
import type { FromWorker, SegmentRun, Summary, ToWorker } from './transport/messages.ts';
import type { Packed, RunResult, Sample, TaskAnswer } from './types.ts';

/** Measurements, reported while requests run. */
export interface EngineEvents {
  segment: (run: SegmentRun) => void;
}

/** A request that was dispatched and is not yet answered. */
interface Pending {
  readonly id: number;
  slot: WorkerSlot;
  samples: number;
  /** Whether a worker has already ended while it held this request. */
  repeated: boolean;
  /** Makes the message for the worker, and the buffers that may be transferred with it. */
  readonly ask: () => readonly [message: ToWorker, transfer: readonly ArrayBuffer[]];
  resolve(message: FromWorker): void;
  reject(error: unknown): void;
}

const MAX_PENDING = 1024;

/** Runs models in a pool of supervised workers, with a bound on the samples in flight. */
export class Engine {
  readonly manifests: ReadonlyMap<string, Manifest>;
  readonly provider: Provider;
  readonly refused: readonly Refusal[];
  private readonly supervisor: Supervisor;
  private readonly requests = new Map<number, Pending>();
  private readonly idle: (() => void)[] = [];
  private readonly maxPending: number;
  private nextId = 1;
  private draining = false;
  private load = NO_LOAD;
  /** The share of exits that the workers were last told to use. */
  private share = 1;

  private constructor(
    pool: Pool,
    private readonly options: EngineOptions,
    private readonly events: Partial<EngineEvents>,
  ) {
    this.maxPending = options.maxPending ?? MAX_PENDING;
    this.provider = pool.provider;
    this.refused = pool.refused;
    this.manifests = new Map(pool.bundles.map(({ manifest }) => [manifest.name, manifest]));
    this.supervisor = new Supervisor(pool.handles, pool.start, {
      message: (_, message) => this.receive(message),
      ended: (slot, reason) => this.ended(slot, reason),
      restarted: (slot) => this.resend(slot),
      abandoned: (slot) => this.heldBy(slot).forEach((request) => this.repeat(request)),
      log: (message) => options.log?.(message),
    });
  }

  /**
   * Reads the bundles, starts the workers and waits until they have warmed up.
   * @throws an error with the reason where a worker cannot start; the others are closed then
   */
  static async start(options: EngineOptions, events: Partial<EngineEvents> = {}): Promise<Engine> {
    return new Engine(await startPool(options), options, events);
  }

  get workers(): number {
    return this.supervisor.alive.length;
  }

  /** Samples in flight: accepted and not yet answered. */
  get pending(): number {
    return this.load.samples;
  }

  /**
   * Answers a request: decoded, run and encoded in a worker.
   * @throws Problem where the request is at fault, the service full or draining, or the client gone
   */
  async perform(
    pack: () => Packed,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<{ answer: TaskAnswer; summary: Summary }> {
    const arrivedAt = clock();
    const ask = (id: number): readonly [ToWorker, readonly ArrayBuffer[]] => {
      const { request, transfer } = pack();
      return [{ type: 'perform', id, request, arrivedAt }, transfer];
    };
    const message = await this.send(ask, 1, signal);
    if (message.type !== 'answered') throw new Error(`unexpected answer ${message.type}`);
    return { answer: message.answer, summary: message.summary };
  }

  /** Runs samples through a model, without a task. */
  async run(
    model: string,
    samples: readonly Sample[],
    stopping: StoppingParameters = {},
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<RunResult> {
    const arrivedAt = clock();
    const message = await this.send(
      (id) => [{ type: 'run', id, model, samples, stopping, arrivedAt }, []],
      samples.length,
      signal,
    );
    if (message.type !== 'ran') throw new Error(`unexpected answer ${message.type}`);
    return message.result;
  }

  /** Refuses new requests; resolves when all accepted ones are answered. */
  async drain(): Promise<void> {
    this.draining = true;
    if (this.requests.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Drains, then closes the workers. */
  async close(): Promise<void> {
    await this.drain();
    await this.supervisor.close();
  }

  private async send(
    ask: (id: number) => readonly [ToWorker, readonly ArrayBuffer[]],
    samples: number,
    signal?: AbortSignal,
  ): Promise<FromWorker> {
    if (signal?.aborted) throw clientLeft();
    if (this.draining)
      throw new Problem('draining', 'The service is shutting down; use another instance.');
    const refused = refusal(this.pending, samples, this.maxPending);
    if (refused) throw refused;
    const slot = this.supervisor.leastLoaded();
    if (!slot) throw noWorker();
    const id = this.nextId++;
    const abort = (): void => this.cancel(id, clientLeft());
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await new Promise<FromWorker>((resolve, reject) => {
        const request: Pending = {
          id,
          slot,
          samples: 0,
          repeated: false,
          ask: () => ask(id),
          resolve,
          reject,
        };
        this.requests.set(id, request);
        this.count(request, samples);
        dispatch(request);
      });
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  private receive(message: FromWorker): void {
    switch (message.type) {
      case 'segments':
        if (this.events.segment) message.runs.forEach(this.events.segment);
        break;
      case 'decoded':
        this.admit(message.id, message.samples);
        break;
      case 'failed':
        this.take(message.id)?.reject(
          message.code === 'internal'
            ? new Error(message.detail)
            : new Problem(message.code, message.detail),
        );
        break;
      case 'answered':
      case 'ran':
        this.take(message.id)?.resolve(message);
        break;
      default:
        throw new Error(`unexpected message ${message.type} from a worker`);
    }
  }

  /** A request was decoded, so that the number of its samples is known: it is counted, or refused. */
  private admit(id: number, samples: number): void {
    const request = this.requests.get(id);
    if (!request) return;
    const refused = refusal(this.pending - request.samples, samples, this.maxPending);
    if (refused) this.cancel(id, refused);
    else this.count(request, samples);
  }

  private cancel(id: number, error: Problem): void {
    const request = this.take(id);
    if (!request) return;
    request.slot.handle.post({ type: 'cancel', id });
    request.reject(error);
  }

  /** Removes a request that is about to be settled. */
  private take(id: number): Pending | undefined {
    const request = this.requests.get(id);
    if (!request) return undefined;
    this.count(request, 0);
    this.requests.delete(id);
    if (this.requests.size === 0) this.idle.splice(0).forEach((resolve) => resolve());
    return request;
  }

  private count(request: Pending, samples: number): void {
    this.load = updateLoad(this.load, request.samples, samples, this.maxPending);
    request.slot.pending += samples - request.samples;
    request.samples = samples;
    const share = this.options.shed === false ? 1 : exitShare(this.load, this.maxPending);
    if (share === this.share) return;
    this.share = share;
    this.supervisor.broadcast({ type: 'cap', share });
  }

  /** A worker ended: its requests are repeated once, by another worker or by its replacement. */
  private ended(slot: WorkerSlot, reason: string): void {
    for (const request of this.heldBy(slot)) {
      if (request.repeated)
        this.take(request.id)?.reject(
          new Error(`two workers ended while they held this request (${reason})`),
        );
      else this.repeat(request);
    }
  }

  private heldBy(slot: WorkerSlot): Pending[] {
    return [...this.requests.values()].filter((request) => request.slot === slot);
  }

  private repeat(request: Pending): void {
    const { samples } = request;
    this.count(request, 0);
    const slot = this.supervisor.leastLoaded();
    if (!slot) {
      this.take(request.id)?.reject(noWorker());
      return;
    }
    request.slot = slot;
    request.repeated = true;
    this.count(request, samples);
    dispatch(request);
  }

  /** Tells a restarted worker the load, and sends it the requests that waited for it. */
  private resend(slot: WorkerSlot): void {
    slot.handle.post({ type: 'cap', share: this.share });
    this.heldBy(slot).forEach(dispatch);
  }
}

/** Sends a request to its worker; where that is being restarted, `resend` does it later. */
function dispatch({ slot, ask }: Pending): void {
  if (slot.alive) slot.handle.post(...ask());
}

const clientLeft = (): Problem =>
  new Problem('client-closed-request', 'The client left before the answer was ready.');

const noWorker = (): Error => new Error('no worker is running');
