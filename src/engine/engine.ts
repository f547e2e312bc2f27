/** Dispatches requests to workers, and gives up workers that are stuck. */
import type { Manifest } from '../bundle/manifest.ts';
import type { Refusal } from '../bundle/read.ts';
import { clientLeft, Problem } from '../errors.ts';
import type { Provider } from '../runtime/session.ts';
import type { StoppingParameters } from '../stopping/parameters.ts';
import { clock } from '../util/clock.ts';
import type { Origin } from './accounts.ts';
import { dispatch, InFlight } from './in-flight.ts';
import { Memory } from './memory.ts';
import type { Pending } from './pending.ts';
import {
  limitsOf,
  MAX_MEMORY_BYTES,
  startPool,
  type EngineEvents,
  type EngineOptions,
  type Pool,
} from './pool.ts';
import { Repository } from './repository.ts';
import { NO_WORKER, Supervisor, type SupervisorEvents, type WorkerSlot } from './supervisor.ts';
import { errorOf, type FromWorker, type Summary, type ToWorker } from './transport/messages.ts';
import type { CallOptions, Packed, RunResult, Sample, TaskAnswer } from './types.ts';
import { PING_INTERVAL_MS, Watchdog } from './watchdog.ts';

/** Runs models in a pool of supervised workers, with bounds on the compute and the memory in flight. */
export class Engine {
  /** The bundles that are served; it loads and unloads them. */
  readonly repository: Repository;
  readonly manifests: ReadonlyMap<string, Manifest>;
  readonly refused: readonly Refusal[];
  readonly provider: Provider;
  /** The memory that requests hold. */
  readonly memory: Memory;
  private readonly supervisor: Supervisor;
  private readonly inFlight: InFlight;
  private readonly watchdog = new Watchdog<WorkerSlot>();
  private readonly watching: NodeJS.Timeout;
  private watchedAt = clock();
  private readonly idle: (() => void)[] = [];
  private nextId = 1;
  private draining = false;
  /** The share of exits that the workers were last told to use. */
  private share = 1;

  private constructor(
    pool: Pool,
    private readonly options: EngineOptions,
    private readonly events: Partial<EngineEvents>,
  ) {
    this.provider = pool.provider;
    this.repository = new Repository(pool, options, () => this.supervisor.alive);
    ({ manifests: this.manifests, refused: this.refused } = this.repository);
    this.memory = new Memory(options.maxMemoryBytes ?? MAX_MEMORY_BYTES);
    this.inFlight = new InFlight(limitsOf(options, pool), this.memory, this.cancel.bind(this));
    const supervised: SupervisorEvents = {
      message: (slot, message) => slot.alive && this.receive(slot, message),
      ended: (slot, reason) => this.ended(slot, reason),
      started: (slot, again) => {
        this.resend(slot);
        if (again) events.restarted?.();
      },
      abandoned: (slot) => this.inFlight.heldBy(slot).forEach((request) => this.repeat(request)),
      log: (message) => options.log?.(message),
    };
    const start = () => pool.start(this.repository.present);
    this.supervisor = new Supervisor(pool.handles, start, supervised, pool.missing);
    this.watching = setInterval(() => this.watch(), PING_INTERVAL_MS).unref();
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
    return this.inFlight.samples;
  }

  /** Compute in flight at the depths now being taken, s. */
  get pendingSeconds(): number {
    return this.inFlight.seconds;
  }

  /**
   * Answers a request: decoded, run and encoded in a worker.
   * @throws Problem where the request is at fault, the service full or draining, or the client gone
   */
  async perform(
    pack: () => Packed,
    options: CallOptions = {},
  ): Promise<{ answer: TaskAnswer; summary: Summary }> {
    const arrivedAt = clock();
    const traced = options.traced && { traced: true };
    const ask = (id: number): readonly [ToWorker, readonly ArrayBuffer[]] => {
      const { request, transfer } = pack();
      return [{ type: 'perform', id, request, arrivedAt, ...traced }, transfer];
    };
    const origin = { kind: options.kind ?? '', units: options.bytes ?? 1, client: options.client };
    const message = await this.send(ask, origin, 1, options);
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
      { kind: `run ${model}`, units: samples.length },
      samples.length,
      { ...(signal && { signal }) },
    );
    if (message.type !== 'ran') throw new Error(`unexpected answer ${message.type}`);
    return message.result;
  }

  /**
   * Refuses a request, also before its body is read. @param samples as far as they are known
   * @throws Problem where the service is full or draining
   */
  admit(origin: Origin, samples = 1, deadlineMs?: number): void {
    if (this.draining)
      throw new Problem('draining', 'The service is shutting down; use another instance.');
    const refused = this.inFlight.refusal(origin, samples, deadlineMs);
    if (refused) throw refused;
  }

  /** Refuses new requests; resolves when all accepted ones are answered. */
  async drain(): Promise<void> {
    this.draining = true;
    if (this.inFlight.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Drains, then closes the workers. */
  async close(): Promise<void> {
    await this.drain();
    clearInterval(this.watching);
    await this.supervisor.close();
  }

  /** Kills worker processes, for an end that waits for nothing. */
  kill(): void {
    this.supervisor.kill();
  }

  private async send(
    ask: (id: number) => readonly [ToWorker, readonly ArrayBuffer[]],
    origin: Origin,
    samples: number,
    { signal, deadlineMs, onExit }: CallOptions,
  ): Promise<FromWorker> {
    if (signal?.aborted) throw clientLeft();
    this.admit(origin, samples, deadlineMs);
    const slot = this.supervisor.leastLoaded();
    if (!slot) throw new Error(NO_WORKER);
    const id = this.nextId++;
    const abort = (): void => this.cancel(id, clientLeft());
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await new Promise<FromWorker>((resolve, reject) => {
        const given = { id, origin, slot, ask: () => ask(id), onExit, resolve, reject };
        dispatch(this.inFlight.add(given, samples));
        this.lowerDepth();
      });
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  private receive(slot: WorkerSlot, message: FromWorker): void {
    this.watchdog.heard(slot);
    switch (message.type) {
      case 'segments':
        if (this.events.segment) message.runs.forEach(this.events.segment);
        break;
      case 'shadow':
        this.events.shadow?.(message);
        break;
      case 'running':
        this.watchdog.running(slot, message.ids, message.ms);
        break;
      case 'refused':
      case 'measured':
      case 'opened':
      case 'unopened':
        this.repository.receive(slot, message);
        break;
      case 'claim':
      case 'decoded':
        this.inFlight.receive(slot, message);
        this.lowerDepth();
        break;
      case 'exited':
        this.inFlight.exited(slot, message.id, message.exit);
        break;
      case 'failed':
        this.take(message.id)?.reject(errorOf(message));
        break;
      case 'answered':
      case 'ran':
        this.take(message.id, true)?.resolve(message);
        break;
      case 'pong':
        break;
      default:
        throw new Error(`unexpected message ${message.type} from a worker`);
    }
  }

  private cancel(id: number, error: Problem): void {
    const request = this.take(id);
    if (!request) return;
    request.slot.handle.post({ type: 'cancel', id });
    request.reject(error);
  }

  /** Removes a request that is about to be settled. */
  private take(id: number, isAnswered = false): Pending | undefined {
    const request = this.inFlight.take(id, isAnswered);
    if (!request) return undefined;
    if (this.inFlight.size === 0) this.idle.splice(0).forEach((resolve) => resolve());
    this.lowerDepth();
    return request;
  }

  /** Tells the workers how deep they may go, where that has changed. */
  private lowerDepth(): void {
    const share = this.options.shed === false ? 1 : this.inFlight.share;
    if (share === this.share) return;
    this.share = share;
    this.supervisor.broadcast({ type: 'cap', share });
  }

  /** Looks for workers that are stuck, and asks the others for a sign of life. */
  private watch(): void {
    const now = clock();
    for (const slot of this.watchdog.tick(this.supervisor.alive, now - this.watchedAt))
      this.giveUp(slot, this.inFlight.suspects(slot, this.watchdog.runOf(slot)));
    this.watchedAt = now;
    for (const slot of this.supervisor.alive) {
      const stuck = this.inFlight.stuckIn(slot, now);
      if (stuck.length > 0) this.giveUp(slot, stuck);
      else slot.handle.post({ type: 'ping' });
    }
  }

  /** A worker is stuck: the requests that it is stuck in fail, its others are repeated elsewhere. */
  private giveUp(slot: WorkerSlot, suspects: readonly Pending[]): void {
    for (const { id } of suspects)
      this.take(id)?.reject(new Error('a worker was stuck in this request'));
    const isReplaced = this.supervisor.condemn(slot);
    this.watchdog.forget(slot);
    this.options.log?.(`a worker is stuck; it is ${isReplaced ? 'killed' : 'abandoned'}`);
    if (isReplaced) return;
    this.ended(slot, 'it is stuck');
    this.events.stuck?.();
  }

  /** A worker ended: its requests are repeated once, by another worker or by its replacement. */
  private ended(slot: WorkerSlot, reason: string): void {
    this.watchdog.forget(slot);
    this.repository.ended(slot, reason);
    for (const request of this.inFlight.heldBy(slot)) {
      if (request.repeated)
        this.take(request.id)?.reject(new Error(`two workers ended during it (${reason})`));
      else this.repeat(request);
    }
  }

  private repeat(request: Pending): void {
    const slot = this.supervisor.leastLoaded();
    if (!slot) {
      this.take(request.id)?.reject(new Error(NO_WORKER));
      return;
    }
    this.inFlight.move(request, slot);
    dispatch(request);
  }

  /** Tells a new worker the load and the bundles, and sends it the requests that waited for it. */
  private resend(slot: WorkerSlot): void {
    slot.handle.post({ type: 'cap', share: this.share });
    this.repository.update(slot);
    this.inFlight.heldBy(slot).forEach(dispatch);
  }
}
