/** The queues of a worker: one per model, exit, variant and shape. A model that is replaced keeps its own until they are empty. */
import { at } from '../../util/at.ts';
import { clock } from '../../util/clock.ts';
import { release } from './executor.ts';
import type { Item, Job } from './jobs.ts';
import { releaseModel, type LoadedModel } from './models.ts';
import { pick, type Queue } from './scheduler.ts';
import { isThrough } from './variants.ts';

/** Samples that wait for one segment of a model and could share a batch. */
export interface DepthQueue extends Queue<Item> {
  readonly model: LoadedModel;
  readonly waiting: Item[];
}

/** Samples of a model that wait for others of their job. */
type Held = Pick<DepthQueue, 'model' | 'waiting'>;

/** Samples that wait, by what they wait for. */
export class Queues {
  private readonly queues = new Map<string, DepthQueue>();
  /** Of the jobs that run only while nothing else waits. */
  private readonly idle = new Map<string, DepthQueue>();
  /** Parts of images whose variant is chosen once all parts have run the first segment. */
  private readonly held = new Map<Job, Held>();
  /** Tells the queues of a model from those of another of its name, which may replace it. */
  private readonly serials = new WeakMap<LoadedModel, number>();
  private serial = 0;
  private readonly retired = new Set<LoadedModel>();

  /** All but those of idle jobs. */
  all(): Held[] {
    return [...this.queues.values(), ...this.held.values()];
  }

  add(item: Item): void {
    const { model, onlyWhenIdle } = item.job;
    const queues = onlyWhenIdle ? this.idle : this.queues;
    const form = item.variant?.name ?? '';
    const key = `${this.serialOf(model)}#${item.next}#${form}#${item.shape}`;
    let queue = queues.get(key);
    if (!queue) {
      const { limit } = item.segment;
      queue = { model, waiting: [], limit, segment: item.next };
      queues.set(key, queue);
    }
    queue.waiting.push(item);
  }

  /** Keeps a part of an image until `takeThrough` gives it. */
  hold(item: Item): void {
    const { job } = item;
    const held = this.held.get(job) ?? { model: job.model, waiting: [] };
    this.held.set(job, held);
    held.waiting.push(item);
  }

  /** Takes out the parts of the images that have no part left before or in the first segment. */
  takeThrough(): { job: Job; parts: readonly Item[] }[] {
    const taken: { job: Job; parts: readonly Item[] }[] = [];
    for (const [job, { waiting }] of this.held) {
      if (job.cancelled) waiting.splice(0).forEach(drop);
      else if (!isThrough(job)) continue;
      this.held.delete(job);
      if (waiting.length > 0) taken.push({ job, parts: waiting });
    }
    return taken;
  }

  /** Takes out the batch that runs next; undefined where nothing waits. */
  take(): { model: LoadedModel; batch: readonly Item[] } | undefined {
    for (const queues of [[...this.queues.values()], [...this.idle.values()]]) {
      const decision = pick(queues, clock());
      if (!decision) continue;
      const { model, waiting } = at(queues, decision.queue);
      const batch = new Set(decision.batch);
      removeWhere(waiting, (item) => batch.has(item));
      return { model, batch: [...batch] };
    }
    return undefined;
  }

  /** Drops the samples of the jobs that run only while nothing else waits. */
  dropIdle(): void {
    for (const { waiting } of this.idle.values()) waiting.splice(0).forEach(drop);
  }

  /** Drops the waiting samples of a job. */
  remove(job: Job): void {
    for (const { waiting } of this.all())
      removeWhere(waiting, (item) => item.job === job).forEach(drop);
  }

  dropEmpty(): void {
    for (const queues of [this.queues, this.idle])
      for (const [key, { waiting }] of queues) if (waiting.length === 0) queues.delete(key);
  }

  /** Marks a model that gets no more jobs. */
  retire(model: LoadedModel): void {
    this.retired.add(model);
  }

  /** Frees the marked models that no sample waits for; not to be called during a run. */
  releaseRetired(): void {
    if (this.retired.size === 0) return;
    this.dropEmpty();
    const inUse = new Set([...this.all(), ...this.idle.values()].map(({ model }) => model));
    for (const model of this.retired) {
      if (inUse.has(model)) continue;
      this.retired.delete(model);
      void releaseModel(model);
    }
  }

  private serialOf(model: LoadedModel): number {
    const known = this.serials.get(model);
    if (known !== undefined) return known;
    this.serials.set(model, this.serial);
    return this.serial++;
  }
}

/** Frees the values of a sample that is not run further. */
export function drop(item: Item): void {
  for (const row of Object.values(item.values)) release(row);
}

/** Fails the jobs of these samples where the work on them fails. */
export async function failing(items: readonly Item[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    for (const item of items) {
      item.job.fail(error);
      drop(item);
    }
  }
}

/** Removes the values that match from `list`, in place, and returns them. */
export function removeWhere<T>(list: T[], matches: (value: T) => boolean): T[] {
  const removed = list.filter(matches);
  if (removed.length === list.length) list.length = 0;
  else if (removed.length > 0) list.splice(0, list.length, ...list.filter((it) => !matches(it)));
  return removed;
}
