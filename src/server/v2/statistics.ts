/** Counts what the statistics extension of the Open Inference Protocol reports, for all doors of the service. */
import type { SegmentRun, Summary } from '../../engine/transport/messages.ts';

interface Count {
  count: number;
  ns: number;
}

/** What is counted of one model; times in ns. */
export interface ModelCounts {
  /** Unix time of the last answer, ms; 0 before the first. */
  last: number;
  /** Samples that were answered. */
  samples: number;
  /** Requests that were answered, from arrival to the end of compute. */
  readonly success: Count;
  readonly fail: Count;
  /** From arrival until the first segment ran, decoding included. */
  readonly queue: Count;
  readonly compute: Count;
  /** Runs of segments, by exit (or `path`). */
  readonly runs: Map<number | 'path', number>;
  /** Runs of segments by the samples in them. */
  readonly batches: Map<number, Count>;
}

const empty = (): ModelCounts => ({
  last: 0,
  samples: 0,
  success: { count: 0, ns: 0 },
  fail: { count: 0, ns: 0 },
  queue: { count: 0, ns: 0 },
  compute: { count: 0, ns: 0 },
  runs: new Map(),
  batches: new Map(),
});

/** Per-model counts since the start. */
export class Statistics {
  private readonly models = new Map<string, ModelCounts>();

  of(model: string): ModelCounts {
    const known = this.models.get(model);
    if (known) return known;
    const fresh = empty();
    this.models.set(model, fresh);
    return fresh;
  }

  /** Counts a model from 0 again: another bundle has taken its name. */
  forget(model: string): void {
    this.models.delete(model);
  }

  answered({ model, depths, timing }: Summary): void {
    const counts = this.of(model);
    counts.last = Date.now();
    counts.samples += depths.length;
    add(counts.success, timing.totalMs);
    add(counts.queue, timing.queueMs);
    add(counts.compute, timing.computeMs);
  }

  unanswered(model: string, ms: number): void {
    if (model !== '') add(this.of(model).fail, ms);
  }

  segment({ model, layer, batch, seconds }: SegmentRun): void {
    const { runs, batches } = this.of(model);
    runs.set(layer, (runs.get(layer) ?? 0) + 1);
    const count = batches.get(batch) ?? { count: 0, ns: 0 };
    batches.set(batch, count);
    add(count, seconds * 1000);
  }
}

function add(count: Count, ms: number): void {
  count.count++;
  count.ns += Math.round(ms * 1e6);
}
