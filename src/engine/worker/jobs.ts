/** Requests inside a worker: their samples, what each has reached, and when all are done. */
import type { StoppingParameters } from '../../stopping/parameters.ts';
import type { StopReason } from '../../stopping/reasons.ts';
import {
  isGuaranteed,
  resolveStopping,
  stopRule,
  type ResolvedStopping,
  type StopRule,
} from '../../stopping/rule.ts';
import { bind, type Binding } from '../../bundle/shape.ts';
import { clock } from '../../util/clock.ts';
import type { LoadedModel } from './models.ts';
import { toRow, type Row } from './rows.ts';
import type { RunResult, Sample, SampleResult } from '../types.ts';
import type { Waiting } from './scheduler.ts';

export class Job {
  readonly items: readonly Item[];
  readonly stopping: ResolvedStopping;
  /** Resolves when every sample has stopped. */
  readonly result: Promise<RunResult>;
  cancelled = false;
  /** Time in which a segment or decoder with one of the samples ran, ms; samples that ran with others share it. */
  attained = 0;
  computeMs = 0;
  since: number;
  private readonly results: SampleResult[] = [];
  private startedAt: number | undefined;
  private left: number;
  private settle!: { resolve(result: RunResult): void; reject(error: unknown): void };

  /** @throws Problem where the parameters, RangeError where the samples do not fit the model */
  constructor(
    readonly id: number,
    readonly model: LoadedModel,
    samples: readonly Sample[],
    stopping: StoppingParameters,
    readonly arrivedAt: number,
  ) {
    this.stopping = resolveStopping(stopping, model.manifest, () =>
      Math.floor(Math.random() * 2 ** 31),
    );
    this.since = arrivedAt;
    this.left = samples.length;
    this.items = samples.map((sample, index) => new Item(this, index, sample));
    this.result = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.result.catch(() => undefined);
    if (samples.length === 0) this.finish();
  }

  get deadline(): number {
    return this.arrivedAt + (this.stopping.deadlineMs ?? Number.POSITIVE_INFINITY);
  }

  /** Time that its samples still need to reach an exit at all, ms: whatever the deadline, they get it. */
  get owed(): number {
    const { pace } = this.model.segments[0]!;
    return this.items.reduce(
      (sum, { next, elements }) => (next === 0 ? sum + pace * elements : sum),
      0,
    );
  }

  /** Notes that `ms` of compute were spent on `share` of a batch. */
  ran(ms: number, share: number, now: number): void {
    this.startedAt ??= now - ms;
    this.attained += ms * share;
    this.computeMs += ms;
    this.since = now;
  }

  done(item: Item, result: SampleResult): void {
    this.results[item.index] = result;
    if (--this.left === 0) this.finish();
  }

  fail(error: unknown): void {
    this.cancelled = true;
    this.settle.reject(error);
  }

  private finish(): void {
    const now = clock();
    const { stopping, model, arrivedAt, computeMs } = this;
    this.settle.resolve({
      model: model.manifest.name,
      maxDepth: model.manifest.depth,
      ...(stopping.seed !== undefined && { seed: stopping.seed }),
      ...(stopping.certificate && {
        tolerance: {
          used: stopping.certificate.tolerance,
          guaranteed: isGuaranteed(
            stopping,
            this.results.map(({ reason }) => reason),
          ),
        },
      }),
      samples: this.results,
      timing: { queueMs: (this.startedAt ?? now) - arrivedAt, computeMs, totalMs: now - arrivedAt },
    });
  }
}

/** A sample on its way: it waits at `next`, with the values of all inputs and states so far. */
export class Item implements Waiting {
  readonly rule: StopRule;
  readonly shape: string;
  readonly elements: number;
  readonly values: Record<string, Row>;
  /** The rule's signal at the exits up to the last one passed; NaN where it was not computed. */
  readonly pi: number[];
  /** The exit it waits for, from 0. */
  next: number;

  constructor(
    readonly job: Job,
    readonly index: number,
    sample: Sample,
  ) {
    const { manifest, firstExit } = job.model;
    this.next = firstExit;
    this.pi = new Array<number>(firstExit).fill(Number.NaN);
    const binding: Binding = new Map();
    for (const { name, shape } of manifest.inputs) {
      const array = sample[name];
      if (!array) throw new RangeError(`the sample has no ${name}`);
      bind(name, shape, array.dims, binding);
    }
    this.rule = stopRule(job.stopping, manifest, index);
    this.values = Object.fromEntries(
      manifest.inputs.map(({ name }) => [name, toRow(sample[name]!)]),
    );
    this.shape = [...binding].join(';');
    this.elements = manifest.inputs.reduce((sum, { name }) => sum + sample[name]!.data.length, 0);
  }

  get attained(): number {
    return this.job.attained;
  }

  get since(): number {
    return this.job.since;
  }

  /** The exit the sample has reached, from 0; −1 where it has reached none. */
  get passed(): number {
    return this.next - 1;
  }
}

export interface Stopped {
  readonly item: Item;
  readonly at: number;
  readonly reason: StopReason;
}
