/** The engine as the service sees it: requests go to workers, answers come back, and no more is taken in than can be held. */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadBundles, type Bundle, type Refusal } from '../bundle/read.ts';
import type { Manifest } from '../bundle/manifest.ts';
import { Problem } from '../errors.ts';
import type { Provider } from '../runtime/session.ts';
import type { StoppingParameters } from '../stopping/parameters.ts';
import { clock } from '../util/clock.ts';
import { startWorker, type Isolation, type Start, type WorkerHandle } from './transport/handle.ts';
import {
  type FromWorker,
  type SegmentRun,
  type Summary,
  type ToWorker,
} from './transport/messages.ts';
import type { RunResult, Sample, TaskAnswer, TaskRequest } from './types.ts';

export interface EngineOptions {
  readonly modelsDir: string;
  /** The module that workers run: it calls `serveEngine`. */
  readonly entry: URL;
  /** Serve only the models of these names. */
  readonly only?: readonly string[];
  /** What that module's tasks are set up with; it must be data. */
  readonly settings?: unknown;
  readonly provider?: Provider | 'auto';
  /** Default: one for each core. A GPU has one. */
  readonly workers?: number;
  readonly threads?: number;
  /** Workers as threads or as child processes; default: threads. */
  readonly isolation?: Isolation;
  /** Samples that may be waiting or running; a larger request is taken when there are none. */
  readonly maxPending?: number;
  /** Lower the depth once the backlog passes half of `maxPending`, before anything is refused. */
  readonly shed?: boolean;
  /** Join samples of different requests where that is faster. */
  readonly regroup?: boolean;
  log?: (message: string) => void;
}

/** What is measured while requests run. */
export interface EngineEvents {
  segment: (run: SegmentRun) => void;
}

interface Pending {
  worker: Slot;
  samples: number;
  /** Whether a worker has failed it once. */
  repeated: boolean;
  /** Makes the message that asks for it, and what of it may be handed over. */
  readonly ask: () => readonly [message: ToWorker, transfer: readonly ArrayBuffer[]];
  resolve(message: FromWorker): void;
  reject(error: unknown): void;
}

/** The place of a worker; another takes it when one ends. */
interface Slot {
  handle: WorkerHandle;
  pending: number;
  alive: boolean;
  /** Whether its worker could not be started again for so long that nothing waits for it. */
  empty: boolean;
}

/** Starts in a row that may fail before nothing waits for a worker's place; the wait after the first, which doubles, and the longest, ms. */
const STARTS = 5;
const PAUSE = 500;
const LONGEST_PAUSE = 30_000;

export class Engine {
  readonly manifests: ReadonlyMap<string, Manifest>;
  private readonly requests = new Map<number, Pending>();
  private readonly idle: (() => void)[] = [];
  private readonly maxPending: number;
  private nextId = 1;
  private draining = false;
  private closing = false;
  private share = 1;
  private backlog = 0;
  /** Samples that were taken and are not answered. */
  pending = 0;

  private constructor(
    private readonly slots: Slot[],
    readonly provider: Provider,
    bundles: readonly Bundle[],
    readonly refused: readonly Refusal[],
    private readonly options: EngineOptions,
    private readonly start: Start,
    private readonly events: Partial<EngineEvents>,
  ) {
    this.maxPending = options.maxPending ?? 1024;
    this.manifests = new Map(bundles.map(({ manifest }) => [manifest.name, manifest]));
    for (const slot of slots) this.attach(slot);
  }

  /** Reads the bundles, starts the workers and waits until all are warm. */
  static async start(options: EngineOptions, events: Partial<EngineEvents> = {}): Promise<Engine> {
    const {
      modelsDir,
      entry,
      provider = 'auto',
      threads = 1,
      log = () => undefined,
      regroup = true,
      settings,
    } = options;
    const { isolation = 'thread' } = options;
    const { bundles: found, refused } = await loadBundles(modelsDir);
    const bundles = found.filter(({ manifest }) => options.only?.includes(manifest.name) ?? true);
    const common = { threads, regroup };
    const first = await startWorker(isolation, entry, {
      options: { ...common, bundles, provider },
      settings,
    });
    first.ready.notes.forEach(log);
    const all = [...refused, ...first.ready.refused];
    for (const { name, reason } of all) log(`the model ${name} is refused: ${reason}`);
    const served = bundles.filter(
      ({ manifest }) => !all.some(({ name }) => name === manifest.name),
    );
    const taken = first.ready.provider;
    const count =
      taken === 'cpu'
        ? (options.workers ?? Math.max(1, Math.floor(availableParallelism() / threads)))
        : 1;
    const start: Start = { options: { ...common, bundles: served, provider: taken }, settings };
    const others = await Promise.allSettled(
      Array.from({ length: count - 1 }, () => startWorker(isolation, entry, start)),
    );
    const started = [first, ...others.flatMap((it) => (it.status === 'fulfilled' ? it.value : []))];
    const failed = others.find((it) => it.status === 'rejected');
    if (failed) {
      await Promise.all(started.map(({ handle }) => closeWorker(handle)));
      throw failed.reason;
    }
    const slots = started.map(({ handle }) => ({
      handle,
      pending: 0,
      alive: true,
      empty: false,
    }));
    return new Engine(slots, taken, served, all, options, start, events);
  }

  get workers(): number {
    return this.slots.filter(({ alive }) => alive).length;
  }

  /**
   * Answers a request: decoded, run and encoded in a worker.
   * @throws Problem where the request is at fault, the service full or draining, or the client gone
   */
  async perform(
    request: TaskRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<{ answer: TaskAnswer; summary: Summary }> {
    const arrivedAt = clock();
    const ask = (id: number): readonly [ToWorker, readonly ArrayBuffer[]] => {
      const body = new Uint8Array(request.body);
      const parts = request.parts?.map((part) => ({ ...part, body: new Uint8Array(part.body) }));
      const copy: TaskRequest = { ...request, body, ...(parts && { parts }) };
      return [
        { type: 'perform', id, request: copy, arrivedAt },
        [body.buffer, ...(parts ?? []).map((part) => part.body.buffer)],
      ];
    };
    const message = await this.send(ask, 1, signal);
    if (message.type !== 'answered') throw new Error(`unexpected answer ${message.type}`);
    return { answer: message.answer, summary: message.summary };
  }

  /** Runs samples as they are through a model. */
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

  /** Takes nothing new; resolves when all that was taken is answered. */
  async drain(): Promise<void> {
    this.draining = true;
    if (this.requests.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Drains, then ends the workers. */
  async close(): Promise<void> {
    await this.drain();
    this.closing = true;
    const alive = this.slots.filter((slot) => slot.alive);
    await Promise.all(alive.map(({ handle }) => closeWorker(handle)));
  }

  private send(
    ask: (id: number) => readonly [ToWorker, readonly ArrayBuffer[]],
    samples: number,
    signal?: AbortSignal,
  ): Promise<FromWorker> {
    if (signal?.aborted) return Promise.reject(gone());
    if (this.draining)
      return Promise.reject(
        new Problem('draining', 'The service is shutting down; ask another instance.'),
      );
    if (this.pending > 0 && this.pending + samples > this.maxPending)
      return Promise.reject(this.overloaded());
    const worker = this.leastLoaded();
    if (!worker) return Promise.reject(new Error('no worker is left'));
    const id = this.nextId++;
    const promise = new Promise<FromWorker>((resolve, reject) =>
      this.requests.set(id, {
        worker,
        samples: 0,
        repeated: false,
        ask: () => ask(id),
        resolve,
        reject,
      }),
    );
    this.count(id, samples);
    const abort = (): void => this.cancel(id, gone());
    signal?.addEventListener('abort', abort, { once: true });
    if (worker.alive) worker.handle.post(...ask(id));
    return promise.finally(() => signal?.removeEventListener('abort', abort));
  }

  /** A worker that lives where there is one; else one that is being started again, which is asked once it is ready. */
  private leastLoaded(): Slot | undefined {
    const least = (slots: readonly Slot[]): Slot | undefined =>
      slots.reduce<Slot | undefined>((a, b) => (a && a.pending <= b.pending ? a : b), undefined);
    return (
      least(this.slots.filter(({ alive }) => alive)) ??
      least(this.slots.filter(({ empty }) => !empty))
    );
  }

  private attach(slot: Slot): void {
    slot.handle.onMessage((message) => this.receive(slot, message));
    slot.handle.onExit((reason) => this.ended(slot, reason));
  }

  private receive(slot: Slot, message: FromWorker): void {
    switch (message.type) {
      case 'segments':
        if (this.events.segment) message.runs.forEach(this.events.segment);
        break;
      case 'decoded':
        this.admit(message.id, message.samples);
        break;
      case 'failed': {
        const error =
          message.code === 'internal'
            ? new Error(message.detail)
            : new Problem(message.code, message.detail);
        this.take(message.id)?.reject(error);
        break;
      }
      case 'answered':
      case 'ran':
        this.take(message.id)?.resolve(message);
        break;
      default:
        throw new Error(
          `unexpected message ${message.type} from a worker with ${slot.pending} samples`,
        );
    }
  }

  /** Now that a request's samples are counted: if they do not fit, it is refused, unless nothing else is there. */
  private admit(id: number, samples: number): void {
    const request = this.requests.get(id);
    if (!request) return;
    const others = this.pending - request.samples;
    if (others > 0 && others + samples > this.maxPending) this.cancel(id, this.overloaded());
    else this.count(id, samples);
  }

  private cancel(id: number, error: Problem): void {
    const request = this.take(id);
    if (!request) return;
    request.worker.handle.post({ type: 'cancel', id });
    request.reject(error);
  }

  private take(id: number): Pending | undefined {
    const request = this.requests.get(id);
    if (!request) return undefined;
    this.count(id, 0);
    this.requests.delete(id);
    if (this.requests.size === 0) this.idle.splice(0).forEach((resolve) => resolve());
    return request;
  }

  private count(id: number, samples: number): void {
    const request = this.requests.get(id)!;
    this.pending += samples - request.samples;
    this.backlog += this.weight(samples) - this.weight(request.samples);
    request.worker.pending += samples - request.samples;
    request.samples = samples;
    this.followBacklog();
  }

  /** From half the bound on, the share of exits in use falls from all to the first. */
  private followBacklog(): void {
    if (this.options.shed === false) return;
    const load = this.backlog / this.maxPending;
    const share = load <= 0.5 ? 1 : Math.max(0.1, Math.round(10 * (1 - 2 * (load - 0.5))) / 10);
    if (share === this.share) return;
    this.share = share;
    for (const { handle, alive } of this.slots) if (alive) handle.post({ type: 'cap', share });
  }

  /** A backlog is many requests: one large one is no more than a quarter of the bound, and lowers nobody's depth by itself. */
  private weight(samples: number): number {
    return Math.min(samples, this.maxPending / 4);
  }

  private overloaded(): Problem {
    return new Problem(
      'overloaded',
      `The service holds ${this.pending} samples, its bound is ${this.maxPending}. Try again in a moment.`,
    );
  }

  /** What the worker held goes to another, or to the one that takes its place; what has failed twice is given up. */
  private ended(slot: Slot, reason: string | undefined): void {
    slot.alive = false;
    if (this.closing) return;
    this.options.log?.(`a worker ended: ${reason ?? 'nothing said why'}`);
    for (const [id, request] of this.requests) {
      if (request.worker !== slot) continue;
      if (request.repeated)
        this.take(id)?.reject(new Error(`two workers ended with this request: ${reason}`));
      else this.repeat(id, request);
    }
    void this.replace(slot);
  }

  private repeat(id: number, request: Pending): void {
    const { samples } = request;
    this.count(id, 0);
    const worker = this.leastLoaded();
    if (!worker) {
      this.take(id)?.reject(new Error('no worker is left'));
      return;
    }
    request.worker = worker;
    request.repeated = true;
    this.count(id, samples);
    if (request.worker.alive) request.worker.handle.post(...request.ask());
  }

  private async replace(slot: Slot): Promise<void> {
    const { isolation = 'thread', entry, log } = this.options;
    for (let failed = 1; !this.closing; failed++) {
      try {
        const { handle } = await startWorker(isolation, entry, this.start);
        Object.assign(slot, { handle, alive: true, empty: false });
        this.attach(slot);
        if (this.closing) return handle.post({ type: 'close' });
        log?.('another worker has taken its place');
        handle.post({ type: 'cap', share: this.share });
        for (const { worker, ask } of this.requests.values())
          if (worker === slot) handle.post(...ask());
        return;
      } catch (error) {
        log?.((error as Error).message);
      }
      if (failed === STARTS) this.giveUp(slot);
      await sleep(Math.min(PAUSE * 2 ** failed, LONGEST_PAUSE), undefined, { ref: false });
    }
  }

  /** Nothing waits any longer for this place, which is tried on and on: what it held goes to another. */
  private giveUp(slot: Slot): void {
    slot.empty = true;
    for (const [id, request] of this.requests)
      if (request.worker === slot) this.repeat(id, request);
  }
}

/** Asks a worker to end and waits until it has. */
function closeWorker(handle: WorkerHandle): Promise<void> {
  return new Promise((resolve) => {
    handle.onExit(() => resolve());
    handle.post({ type: 'close' });
  });
}

const gone = (): Problem =>
  new Problem('client-closed-request', 'The client left before the answer was ready.');
