/** The samples that wait in a worker: one queue for each model, segment and shape. */
import { at } from '../../util/at.ts';
import { clock } from '../../util/clock.ts';
import { segmentAt } from './executor.ts';
import type { Item, Job } from './jobs.ts';
import type { LoadedModel } from './models.ts';
import { pick, type Queue } from './scheduler.ts';

/** Samples that can share a batch. */
export interface DepthQueue extends Queue<Item> {
  readonly model: LoadedModel;
  readonly waiting: Item[];
}

/** Queues, of which `scheduler.ts` picks. */
export class Queues {
  private readonly byKey = new Map<string, DepthQueue>();

  /** All queues, empty ones too. */
  get all(): DepthQueue[] {
    return [...this.byKey.values()];
  }

  add(item: Item): void {
    const { model } = item.job;
    const key = `${model.manifest.name}#${item.next}#${item.shape}`;
    let queue = this.byKey.get(key);
    if (!queue) {
      const { limit } = segmentAt(model, item.next);
      queue = { model, waiting: [], limit, segment: item.next };
      this.byKey.set(key, queue);
    }
    queue.waiting.push(item);
  }

  /** Takes out the batch that runs next; undefined where nothing waits. */
  take(): { model: LoadedModel; batch: readonly Item[] } | undefined {
    const queues = this.all;
    const decision = pick(queues, clock());
    if (!decision) return undefined;
    const { model, waiting } = at(queues, decision.queue);
    const batch = new Set(decision.batch);
    removeWhere(waiting, (item) => batch.has(item));
    return { model, batch: [...batch] };
  }

  /** Removes and returns the samples of a job. */
  remove(job: Job): Item[] {
    return this.all.flatMap(({ waiting }) => removeWhere(waiting, (item) => item.job === job));
  }

  /** Removes all samples. */
  clear(): void {
    this.byKey.clear();
  }

  /** Forgets the queues that are empty. */
  prune(): void {
    for (const [key, { waiting }] of this.byKey) if (waiting.length === 0) this.byKey.delete(key);
  }
}

/** Removes the values that match from `list`, in place, and returns them. */
export function removeWhere<T>(list: T[], matches: (value: T) => boolean): T[] {
  const removed = list.filter(matches);
  if (removed.length === list.length) list.length = 0;
  else if (removed.length > 0) list.splice(0, list.length, ...list.filter((it) => !matches(it)));
  return removed;
}
