/** A worker: its own sessions, its own queues, one loop. Between segments it reads its messages; nothing is interrupted inside a run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../../errors.ts';
import { clock } from '../../util/clock.ts';
import { readOut, release, runSegment, runWhole, segmentAt, sharesOf } from './executor.ts';
import { Job, type Item, type Stopped } from './jobs.ts';
import {
  type FromWorker,
  type SegmentRun,
  type ToWorker,
  type WorkerOptions,
} from '../transport/messages.ts';
import type { LoadedModel, LoadedPath } from './models.ts';
import { pick } from './scheduler.ts';
import type { RunResult, Sample, TaskDecoder, TaskFiles, TaskRequest } from '../types.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import { loadModels, type Loaded } from './warm-up.ts';

/** The worker's end of the line; a thread's port or a process's channel. */
export interface Line {
  post(message: FromWorker, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: ToWorker) => void): void;
  close(): void;
}

/** The longest time a whole path may take at once, ms: cancellation and other requests wait that long. */
const BRIEF = 20;
/** How long metrics may wait before they are sent, ms. */
const REPORT_EVERY = 100;

/** Loads the models and serves until it is told to close. */
export async function serve(
  line: Line,
  options: WorkerOptions,
  tasks: Readonly<Record<string, TaskDecoder>>,
): Promise<void> {
  let loaded: Loaded;
  try {
    loaded = await loadModels(options.bundles, options.provider, options.threads, options.regroup);
  } catch (error) {
    line.post({ type: 'unfit', reason: (error as Error).message });
    line.close();
    return;
  }
  const loop = new Loop(line, loaded.models, tasks);
  line.onMessage((message) => loop.receive(message));
  const { provider, notes, refused } = loaded;
  line.post({ type: 'ready', provider, notes, refused });
}

interface DepthQueue {
  readonly model: LoadedModel;
  readonly waiting: Item[];
  readonly limit: number;
  readonly segment: number;
}

class Loop {
  private readonly queues = new Map<string, DepthQueue>();
  private readonly jobs = new Map<number, Job>();
  private readonly cancelled = new Set<number>();
  private readonly decoding = new Set<number>();
  private running = false;
  private share = 1;
  private runs: SegmentRun[] = [];
  private reportedAt = clock();

  constructor(
    private readonly line: Line,
    private readonly models: ReadonlyMap<string, LoadedModel>,
    private readonly tasks: Readonly<Record<string, TaskDecoder>>,
  ) {}

  receive(message: ToWorker): void {
    switch (message.type) {
      case 'perform':
        void this.settle(message.id, this.perform(message.id, message.request, message.arrivedAt));
        break;
      case 'run':
        void this.settle(
          message.id,
          this.run(message.id, message.model, message.samples, message.stopping, message.arrivedAt),
        );
        break;
      case 'cancel':
        this.cancel(message.id);
        break;
      case 'cap':
        this.share = message.share;
        break;
      case 'close':
        this.line.close();
        break;
    }
  }

  private async perform(id: number, request: TaskRequest, arrivedAt: number): Promise<void> {
    const decode = this.tasks[request.task];
    if (!decode) throw new Problem('not-found', `There is no task ${request.task}.`);
    this.decoding.add(id);
    const manifests = new Map([...this.models].map(([name, { manifest }]) => [name, manifest]));
    const files: TaskFiles = (model, file) =>
      readFile(join(this.models.get(model)!.directory, file));
    const decoded = await decode(request, manifests, files).finally(() => this.decoding.delete(id));
    this.line.post({ type: 'decoded', id, samples: decoded.samples.length });
    const result = await this.enqueue(
      id,
      decoded.model,
      decoded.samples,
      decoded.stopping,
      arrivedAt,
    );
    const answer = await decoded.encode(result);
    const summary = {
      model: result.model,
      maxDepth: result.maxDepth,
      depths: result.samples.map(({ depth }) => depth),
      reasons: result.samples.map(({ reason }) => reason),
      timing: result.timing,
    };
    const body = owned(answer.body);
    this.line.post({ type: 'answered', id, answer: { ...answer, body }, summary }, [body.buffer]);
  }

  private async run(
    id: number,
    model: string,
    samples: readonly Sample[],
    stopping: StoppingParameters,
    arrivedAt: number,
  ): Promise<void> {
    this.line.post({
      type: 'ran',
      id,
      result: await this.enqueue(id, model, samples, stopping, arrivedAt),
    });
  }

  private async settle(id: number, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      const [code, detail] =
        error instanceof Problem
          ? [error.code, error.message]
          : ['internal' as const, describe(error)];
      this.line.post({ type: 'failed', id, code, detail });
    } finally {
      this.jobs.delete(id);
      this.cancelled.delete(id);
    }
  }

  private enqueue(
    id: number,
    name: string,
    samples: readonly Sample[],
    stopping: StoppingParameters,
    arrivedAt: number,
  ): Promise<RunResult> {
    if (this.cancelled.has(id)) throw clientLeft();
    const model = this.models.get(name);
    if (!model)
      throw new Problem(
        'unknown-model',
        `There is no model ${name}; there are ${[...this.models.keys()].join(', ')}.`,
      );
    const job = new Job(id, model, samples, stopping, arrivedAt);
    this.jobs.set(id, job);
    for (const item of job.items) this.wait(item);
    if (!this.running) void this.loop();
    return job.result;
  }

  private cancel(id: number): void {
    if (this.decoding.has(id)) this.cancelled.add(id);
    const job = this.jobs.get(id);
    if (!job) return;
    job.fail(clientLeft());
    for (const { waiting } of this.queues.values())
      remove(waiting, (item) => item.job === job).forEach(drop);
  }

  private wait(item: Item): void {
    const { model } = item.job;
    const key = `${model.manifest.name}#${item.next}#${item.shape}`;
    let queue = this.queues.get(key);
    if (!queue)
      this.queues.set(
        key,
        (queue = {
          model,
          waiting: [],
          limit: segmentAt(model, item.next).limit,
          segment: item.next,
        }),
      );
    queue.waiting.push(item);
  }

  private async loop(): Promise<void> {
    this.running = true;
    try {
      for (;;) {
        const queues = [...this.queues.values()];
        const decision = pick(queues, clock());
        if (!decision) break;
        const queue = queues[decision.queue]!;
        const taken = new Set(decision.batch);
        remove(queue.waiting, (item) => taken.has(item));
        await this.advance(queue.model, [...taken]);
        this.report(false);
      }
    } finally {
      this.running = false;
      this.report(true);
      for (const [key, { waiting }] of this.queues)
        if (waiting.length === 0) this.queues.delete(key);
    }
  }

  /** The whole path, where one sample begins alone, nothing could come between its layers anyway, and it is faster. */
  private wholeFor(model: LoadedModel, batch: readonly Item[]): LoadedPath | undefined {
    const { path } = model;
    const [item] = batch as [Item];
    const fits =
      path?.pays &&
      batch.length === 1 &&
      item.next === 0 &&
      this.share >= 1 &&
      item.job.stopping.deadlineMs === undefined;
    return fits && path.pace * item.elements <= BRIEF ? path : undefined;
  }

  private async runWhole(model: LoadedModel, path: LoadedPath, item: Item): Promise<void> {
    try {
      const ms = await runWhole(model, path, item);
      path.pace = 0.8 * path.pace + (0.2 * ms) / item.elements;
      this.runs.push({ model: model.manifest.name, layer: 'path', batch: 1, seconds: ms / 1000 });
    } catch (error) {
      item.job.fail(error);
    }
  }

  /**
   * One segment for one batch. Samples that need no further layer, or have no time for one, leave first with what they
   * have: those at a fixed depth of 0, and those whose deadline is near.
   */
  private async advance(model: LoadedModel, batch: readonly Item[]): Promise<void> {
    const path = this.wholeFor(model, batch);
    if (path) return this.runWhole(model, path, batch[0]!);
    const at = batch[0]!.next;
    const segment = segmentAt(model, at);
    const done = clock() + segment.pace * batch.reduce((sum, { elements }) => sum + elements, 0);
    const early: Stopped[] = batch.flatMap((item) => {
      const { rule, job, passed } = item;
      if (passed >= rule.last) return { item, at: passed, reason: rule.lastReason };
      const late = passed >= 0 && done + job.owed > job.deadline;
      return late ? { item, at: passed, reason: 'deadline' as const } : [];
    });
    const left = new Set(early.map(({ item }) => item));
    const staying = batch.filter((item) => !left.has(item));
    try {
      if (early.length > 0) await readOut(model, early);
      if (staying.length === 0) return;
      const { stopped, going, ms } = await runSegment(model, staying, this.capFor(model));
      this.account(model, at, staying, ms);
      const alive = stopped.filter(({ item }) => !item.job.cancelled);
      for (const { item } of stopped) if (item.job.cancelled) drop(item);
      if (alive.length > 0) await readOut(model, alive);
      for (const item of going) {
        if (item.job.cancelled) drop(item);
        else this.wait(item);
      }
    } catch (error) {
      for (const item of batch) {
        item.job.fail(error);
        drop(item);
      }
    }
  }

  private account(model: LoadedModel, at: number, batch: readonly Item[], ms: number): void {
    const segment = segmentAt(model, at);
    const elements = batch.reduce((sum, item) => sum + item.elements, 0);
    segment.pace = segment.pace === 0 ? ms / elements : 0.8 * segment.pace + (0.2 * ms) / elements;
    const now = clock();
    for (const [job, share] of sharesOf(batch)) job.ran(ms, share, now);
    this.runs.push({
      model: model.manifest.name,
      layer: segment.last,
      batch: batch.length,
      seconds: ms / 1000,
    });
  }

  private capFor(model: LoadedModel): number {
    const { length } = model.manifest.exits;
    return this.share >= 1
      ? Number.POSITIVE_INFINITY
      : Math.max(0, Math.ceil(this.share * length) - 1);
  }

  private report(now: boolean): void {
    if (this.runs.length === 0 || (!now && clock() - this.reportedAt < REPORT_EVERY)) return;
    this.line.post({ type: 'segments', runs: this.runs });
    this.runs = [];
    this.reportedAt = clock();
  }
}

const clientLeft = (): Problem =>
  new Problem('client-closed-request', 'The client left before the answer was ready.');

const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

function drop(item: Item): void {
  for (const row of Object.values(item.values)) release(row);
}

/** Takes out of `list`, in place, what fits. */
function remove<T>(list: T[], fits: (value: T) => boolean): T[] {
  const taken = list.filter(fits);
  if (taken.length === list.length) list.length = 0;
  else if (taken.length > 0) list.splice(0, list.length, ...list.filter((value) => !fits(value)));
  return taken;
}

/** The same bytes in a buffer that holds nothing else, so that it can be handed over. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
  return whole ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
