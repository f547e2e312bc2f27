/** A worker's loop: one queue per model, exit and shape. Messages are read between segments; a run is never interrupted. */
import { at } from '../../util/at.ts';
import { clock } from '../../util/clock.ts';
import type { SegmentRun } from '../transport/messages.ts';
import { readOut, release, runSegment, runWhole, segmentAt, sharesOf } from './executor.ts';
import type { Item, Job, Stopped } from './jobs.ts';
import type { LoadedModel, LoadedPath } from './models.ts';
import { pick, type Queue } from './scheduler.ts';

/** The longest a whole path may take in one run, ms: cancellation and other requests wait that long. */
const MAX_PATH_MS = 20;
/** How long measured runs are collected before they are reported, ms. */
const REPORT_INTERVAL_MS = 100;
/** Weight of the newest run in the running mean of a segment's speed. */
const NEWEST_WEIGHT = 0.2;

interface DepthQueue extends Queue<Item> {
  readonly model: LoadedModel;
  readonly waiting: Item[];
}

/** Runs the samples of all jobs batch by batch, and reports the measured runs in groups. */
export class Loop {
  /** The share of its exits that each model may use; 1 while the service is not loaded. */
  share = 1;
  private readonly queues = new Map<string, DepthQueue>();
  private running = false;
  private runs: SegmentRun[] = [];
  private reportedAt = clock();

  constructor(private readonly report: (runs: readonly SegmentRun[]) => void) {}

  /** Queues the samples of a job; its `result` resolves when all of them have stopped. */
  add(job: Job): void {
    for (const item of job.items) this.enqueue(item);
    if (!this.running) void this.run();
  }

  /** Removes the samples of a cancelled job. Those inside a run are dropped when it ends. */
  remove(job: Job): void {
    for (const { waiting } of this.queues.values())
      removeWhere(waiting, (item) => item.job === job).forEach(drop);
  }

  private enqueue(item: Item): void {
    const { model } = item.job;
    const key = `${model.manifest.name}#${item.next}#${item.shape}`;
    let queue = this.queues.get(key);
    if (!queue) {
      const { limit } = segmentAt(model, item.next);
      queue = { model, waiting: [], limit, segment: item.next };
      this.queues.set(key, queue);
    }
    queue.waiting.push(item);
  }

  private async run(): Promise<void> {
    this.running = true;
    try {
      for (;;) {
        const queues = [...this.queues.values()];
        const decision = pick(queues, clock());
        if (!decision) break;
        const queue = at(queues, decision.queue);
        const batch = new Set(decision.batch);
        removeWhere(queue.waiting, (item) => batch.has(item));
        await this.advance(queue.model, [...batch]);
        if (clock() - this.reportedAt >= REPORT_INTERVAL_MS) this.reportRuns();
      }
    } finally {
      this.running = false;
      this.reportRuns();
      for (const [key, { waiting }] of this.queues)
        if (waiting.length === 0) this.queues.delete(key);
    }
  }

  /** Runs one batch through its next segment, or a single sample through the whole path. A failure fails the batch's jobs. */
  private async advance(model: LoadedModel, batch: readonly Item[]): Promise<void> {
    const path = this.wholePathFor(model, batch);
    try {
      if (path) await this.runPath(model, path, at(batch, 0));
      else await this.runNext(model, batch);
    } catch (error) {
      for (const item of batch) {
        item.job.fail(error);
        drop(item);
      }
    }
  }

  /** The path in one graph: for one sample at its start, where that is faster, short, and nothing may stop it in between. */
  private wholePathFor({ path }: LoadedModel, batch: readonly Item[]): LoadedPath | undefined {
    const item = at(batch, 0);
    const fits =
      path?.isFaster &&
      batch.length === 1 &&
      item.next === 0 &&
      this.share >= 1 &&
      item.job.stopping.deadlineMs === undefined;
    return fits && path.msPerElement * item.elements <= MAX_PATH_MS ? path : undefined;
  }

  private async runPath(model: LoadedModel, path: LoadedPath, item: Item): Promise<void> {
    const ms = await runWhole(model, path, item);
    path.msPerElement = runningMean(path.msPerElement, ms / item.elements);
    this.runs.push({ model: model.manifest.name, layer: 'path', batch: 1, seconds: ms / 1000 });
  }

  private async runNext(model: LoadedModel, batch: readonly Item[]): Promise<void> {
    const early = this.stoppingBefore(model, batch);
    const leaving = new Set(early.map(({ item }) => item));
    const staying = batch.filter((item) => !leaving.has(item));
    if (early.length > 0) await readOut(model, early);
    if (staying.length === 0) return;
    const exit = at(staying, 0).next;
    const { stopped, going, ms } = await runSegment(model, staying, this.capFor(model));
    this.account(model, exit, staying, ms);
    const alive = stopped.filter(({ item }) => !item.job.cancelled);
    for (const { item } of stopped) if (item.job.cancelled) drop(item);
    if (alive.length > 0) await readOut(model, alive);
    for (const item of going) {
      if (item.job.cancelled) drop(item);
      else this.enqueue(item);
    }
  }

  /** Samples that stop before the segment runs: at a fixed depth of 0, or because the deadline would pass during it. */
  private stoppingBefore(model: LoadedModel, batch: readonly Item[]): Stopped[] {
    const { msPerElement } = segmentAt(model, at(batch, 0).next);
    const doneAt = clock() + msPerElement * elementsOf(batch);
    return batch.flatMap((item): Stopped[] => {
      const { rule, job, passed } = item;
      if (passed >= rule.last) return [{ item, at: passed, reason: rule.lastReason }];
      const isLate = passed >= 0 && doneAt + job.owedMs > job.deadline;
      return isLate ? [{ item, at: passed, reason: 'deadline' }] : [];
    });
  }

  private account(model: LoadedModel, exit: number, batch: readonly Item[], ms: number): void {
    const segment = segmentAt(model, exit);
    segment.msPerElement = runningMean(segment.msPerElement, ms / elementsOf(batch));
    const now = clock();
    for (const [job, share] of sharesOf(batch)) job.ran(ms, share, now);
    this.runs.push({
      model: model.manifest.name,
      layer: segment.last,
      batch: batch.length,
      seconds: ms / 1000,
    });
  }

  /** The exit, from 0, from which samples stop under load. */
  private capFor(model: LoadedModel): number {
    const { length } = model.manifest.exits;
    return this.share >= 1
      ? Number.POSITIVE_INFINITY
      : Math.max(0, Math.ceil(this.share * length) - 1);
  }

  private reportRuns(): void {
    if (this.runs.length === 0) return;
    this.report(this.runs);
    this.runs = [];
    this.reportedAt = clock();
  }
}

/** A mean of 0 means that nothing was measured yet. */
const runningMean = (mean: number, newest: number): number =>
  mean === 0 ? newest : (1 - NEWEST_WEIGHT) * mean + NEWEST_WEIGHT * newest;

const elementsOf = (batch: readonly Item[]): number =>
  batch.reduce((sum, { elements }) => sum + elements, 0);

function drop(item: Item): void {
  for (const row of Object.values(item.values)) release(row);
}

/** Removes the values that match from `list`, in place, and returns them. */
function removeWhere<T>(list: T[], matches: (value: T) => boolean): T[] {
  const removed = list.filter(matches);
  if (removed.length === list.length) list.length = 0;
  else if (removed.length > 0) list.splice(0, list.length, ...list.filter((it) => !matches(it)));
  return removed;
}
