/** A worker's loop: one queue per model, exit, variant and shape. Messages are read between segments; a run is never interrupted. */
import { at } from '../../util/at.ts';
import { clock } from '../../util/clock.ts';
import type { SegmentRun } from '../transport/messages.ts';
import { decide, readOut, runSegment, runWhole, sharesOf } from './executor.ts';
import { tellExits } from './exits.ts';
import type { Item, Job, Stopped } from './jobs.ts';
import { givesInputBack, type LoadedModel, type LoadedPath, type LoadedSegment } from './models.ts';
import { drop, failing, Queues, removeWhere } from './queues.ts';
import { longest, observe, runningMean, type Speed } from './speed.ts';
import { chooseTogether } from './variants.ts';

/** The longest a whole path may take in one run, ms: cancellation and other requests wait that long. */
const MAX_PATH_MS = 20;
/** How long measured runs are collected before they are reported, ms. */
const REPORT_INTERVAL_MS = 100;
/** Shorter runs are not announced, unless they are the first of a request, ms. */
const ANNOUNCED_MS = 2;

/** Runs the samples of all jobs batch by batch, and reports the measured runs in groups. */
export class Loop {
  /** The share of its exits that each model may use; 1 while the service is not loaded. */
  share = 1;
  private readonly queues = new Queues();
  private isRunning = false;
  private isIdleRun = false;
  private runs: SegmentRun[] = [];
  private reportedAt = clock();
  /** Measured time of reading out. */
  private readonly readOuts = new WeakMap<LoadedModel, Speed>();
  /** Jobs with a deadline that are not settled. */
  private readonly timed = new Set<Job>();

  /** @param running is told of the runs that begin: the requests' ids, and the predicted time, ms */
  constructor(
    private readonly report: (runs: readonly SegmentRun[]) => void,
    private readonly running: (ids: readonly number[], ms: number) => void = () => undefined,
  ) {}

  /** Queues the samples of a job; its `result` resolves when all of them have stopped. */
  add(job: Job): void {
    job.foundIdle = !this.isRunning || this.isIdleRun;
    if (Number.isFinite(job.deadline)) this.timed.add(job);
    for (const item of job.items) this.queues.add(item);
    if (!this.isRunning) void this.run();
  }

  /** Removes the samples of a cancelled job. Those inside a run are dropped when it ends. */
  remove(job: Job): void {
    this.timed.delete(job);
    this.queues.remove(job);
  }

  /** Drops the jobs that run only while nothing else waits. */
  dropIdle(): void {
    this.queues.dropIdle();
  }

  /** Frees a model that gets no more jobs, between two runs. */
  retire(model: LoadedModel): void {
    this.queues.retire(model);
    if (!this.isRunning) this.queues.releaseRetired();
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    try {
      for (;;) {
        for (const { job, parts } of this.queues.takeThrough()) await this.choose(job, parts);
        const next = this.queues.take();
        if (!next) break;
        const { model, batch } = next;
        this.isIdleRun = at(batch, 0).job.onlyWhenIdle;
        await this.leaveInTime(() => clock() + this.expectedMs(model, batch));
        await this.advance(model, batch);
        this.queues.releaseRetired();
        if (clock() - this.reportedAt >= REPORT_INTERVAL_MS) this.reportRuns();
      }
    } finally {
      this.isRunning = false;
      this.isIdleRun = false;
      this.queues.dropEmpty();
      this.queues.releaseRetired();
      this.reportRuns();
    }
  }

  /**
   * Before a run: reads out the waiting samples whose deadline passes during it, and refuses jobs that cannot reach an
   * exit any more.
   * @param end when the run is expected to end
   */
  private async leaveInTime(end: () => number): Promise<void> {
    for (const job of this.timed) if (job.settled) this.timed.delete(job);
    // Reading out takes time as well, after which others have to leave.
    while (this.timed.size > 0 && (await this.readOutLate(end)));
  }

  /** @returns whether a sample was read out */
  private async readOutLate(end: () => number): Promise<boolean> {
    let hasReadOut = false;
    for (const { model, waiting } of this.queues.all()) {
      for (const item of waiting.filter(({ job }) => this.timed.has(job))) {
        const { job, hasResult, passed } = item;
        const after = end() + this.readOutMs(model, [item]);
        if (job.cancelled || after <= job.deadline) continue;
        if (hasResult || passed >= 0 || givesInputBack(model)) {
          removeWhere(waiting, (one) => one === item);
          await this.stop(model, [{ item, at: Math.max(passed, 0), reason: 'deadline' }]);
          hasReadOut = true;
        } else if (model.manifest.exits[0] !== 0 && !job.foundIdle) {
          job.missDeadline();
          this.remove(job);
        }
      }
    }
    return hasReadOut;
  }

  /** Time that the next run of a batch may take, with some margin, ms. */
  private expectedMs(model: LoadedModel, batch: readonly Item[]): number {
    const elements = elementsOf(batch);
    const path = this.wholePathFor(model, batch);
    if (path) return path.msPerElement * elements;
    return longest(at(batch, 0).segment) * elements + this.readOutMs(model, batch);
  }

  private readOutMs(model: LoadedModel, batch: readonly Item[]): number {
    const speed = this.readOuts.get(model);
    return speed ? longest(speed) * elementsOf(batch) : 0;
  }

  /** Reads out samples that stop at the same exit. */
  private async stop(model: LoadedModel, stopped: readonly Stopped[]): Promise<void> {
    const elements = elementsOf(stopped.map(({ item }) => item));
    const ms = await readOut(model, stopped);
    // An exit without a decoder takes no time, which says nothing of the others.
    if (ms === 0) return;
    const speed = this.readOuts.get(model) ?? { msPerElement: 0 };
    observe(speed, ms / elements);
    this.readOuts.set(model, speed);
  }

  /** Runs one batch through its next segment, or a single sample through the whole path. A failure fails the batch's jobs. */
  private async advance(model: LoadedModel, batch: readonly Item[]): Promise<void> {
    const path = this.wholePathFor(model, batch);
    await failing(batch, () =>
      path ? this.runPath(model, path, at(batch, 0)) : this.runNext(model, batch),
    );
  }

  /** The parts of an image have run the first segment: its variant is chosen, and those that do not stop there go on. */
  private async choose(job: Job, parts: readonly Item[]): Promise<void> {
    const { model } = job;
    const { firstExit } = model;
    chooseTogether(job, parts);
    await failing(parts, () =>
      this.goOn(model, firstExit, decide(parts, firstExit, this.capFor(model))),
    );
  }

  /** The whole path as one graph, if the batch is one sample at its start, the graph is faster and short, and nothing may stop it midway. */
  private wholePathFor({ path }: LoadedModel, batch: readonly Item[]): LoadedPath | undefined {
    const item = at(batch, 0);
    const fits =
      path?.isFaster &&
      batch.length === 1 &&
      item.next === 0 &&
      this.share >= 1 &&
      !item.job.watch &&
      !item.job.onlyWhenIdle &&
      item.job.stopping.deadlineMs === undefined;
    return fits && path.msPerElement * item.elements <= MAX_PATH_MS ? path : undefined;
  }

  private async runPath(model: LoadedModel, path: LoadedPath, item: Item): Promise<void> {
    this.announce([item], path.msPerElement * item.elements);
    const ms = await runWhole(model, path, item);
    path.msPerElement = runningMean(path.msPerElement, ms / item.elements);
    this.runs.push({ model: model.manifest.name, layer: 'path', batch: 1, seconds: ms / 1000 });
  }

  private async runNext(model: LoadedModel, batch: readonly Item[]): Promise<void> {
    const { stopped: early, refused } = this.leavingBefore(model, batch);
    for (const job of refused) {
      job.missDeadline();
      this.remove(job);
    }
    const leaving = new Set(early.map(({ item }) => item));
    const staying = batch.filter((item) => !leaving.has(item) && !item.job.cancelled);
    for (const exit of new Set(early.map(({ at: exit }) => exit)))
      await this.stop(
        model,
        early.filter((one) => one.at === exit),
      );
    if (staying.length === 0) return;
    const { next: exit, segment } = at(staying, 0);
    this.announce(staying, segment.msPerElement * elementsOf(staying));
    const result = await runSegment(model, staying, this.capFor(model));
    this.account(segment, staying, result.ms);
    for (const item of result.undecided) {
      if (item.job.cancelled) drop(item);
      else this.queues.hold(item);
    }
    await this.goOn(model, exit, result);
  }

  /** Reads out the samples that stop at an exit, counted from 0, and queues those that go on. */
  private async goOn(
    model: LoadedModel,
    exit: number,
    { stopped, going }: ReturnType<typeof decide>,
  ): Promise<void> {
    const alive = stopped.filter(({ item }) => !item.job.cancelled);
    for (const { item } of stopped) if (item.job.cancelled) drop(item);
    if (alive.length > 0) await this.stop(model, alive);
    const watched = going.filter(({ job }) => job.watch && !job.cancelled);
    if (watched.length > 0) await tellExits(model, exit, watched);
    for (const item of going) {
      if (item.job.cancelled) drop(item);
      else this.queues.add(item);
    }
  }

  /**
   * Samples to stop before this run, because their depth is 0 or their deadline would pass during it, and jobs to refuse
   * because they can reach no exit in time. A job that found the worker idle may finish its first run late: so a short
   * deadline still gets the best depth reached.
   */
  private leavingBefore(
    model: LoadedModel,
    batch: readonly Item[],
  ): { stopped: Stopped[]; refused: Set<Job> } {
    const now = clock();
    const doneAt = now + this.expectedMs(model, batch);
    const stopped: Stopped[] = [];
    const refused = new Set<Job>();
    for (const item of batch) {
      const { rule, job, passed, hasResult } = item;
      if (passed >= rule.last) stopped.push({ item, at: passed, reason: rule.lastReason });
      else if (hasResult) {
        if (doneAt + job.owedMs > job.deadline)
          stopped.push({ item, at: passed, reason: 'deadline' });
      } else if (doneAt > job.deadline && (passed >= 0 || givesInputBack(model)))
        stopped.push({ item, at: 0, reason: 'deadline' });
      else if (model.manifest.exits[0] !== 0 && !inTime(job, batch, now, doneAt)) refused.add(job);
    }
    return { stopped, refused };
  }

  private announce(batch: readonly Item[], ms: number): void {
    if (ms < ANNOUNCED_MS && batch.every(({ job }) => job.attained > 0)) return;
    this.running([...new Set(batch.map(({ job }) => job.id))], ms);
  }

  private account(segment: LoadedSegment, batch: readonly Item[], ms: number): void {
    const { job, ranIn } = at(batch, 0);
    if (job.onlyWhenIdle) return;
    const perElement = ms / elementsOf(batch);
    observe(segment, perElement);
    const now = clock();
    for (const [each, share] of sharesOf(batch))
      each.ran(`segment ${segment.last}`, ms, share, now);
    this.runs.push({
      model: job.model.manifest.name,
      layer: segment.last,
      ...(ranIn && { variant: ranIn.name }),
      batch: batch.length,
      seconds: ms / 1000,
    });
  }

  /** The exit, from 0, from which samples stop under load. */
  capFor({ manifest }: Pick<LoadedModel, 'manifest'>): number {
    const { length } = manifest.exits;
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

/** Whether every sample of the job can still reach its first exit, or this run answers the job alone and at once. */
function inTime(job: Job, batch: readonly Item[], now: number, doneAt: number): boolean {
  if (doneAt <= job.deadline && now + job.owedMs <= job.deadline) return true;
  const without = job.items.filter(({ hasResult }) => !hasResult);
  const inBatch = new Set(batch);
  return job.foundIdle && without.every((item) => inBatch.has(item));
}

const elementsOf = (batch: readonly Item[]): number =>
  batch.reduce((sum, { elements }) => sum + elements, 0);
