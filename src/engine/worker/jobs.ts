/** Requests inside a worker: their samples, how far each has come, and the result once all have stopped. */
import type { CertifiedRule, Stoppable, StoppingParameters } from '../../stopping/parameters.ts';
import type { StopReason } from '../../stopping/reasons.ts';
import {
  certifiedAt,
  resolveStopping,
  stopRule,
  type ResolvedStopping,
  type StopRule,
} from '../../stopping/rule.ts';
import { bind, type Binding } from '../../bundle/shape.ts';
import { Problem } from '../../errors.ts';
import { at } from '../../util/at.ts';
import { clock } from '../../util/clock.ts';
import { promiseOf, ruleIn, stoppableIn } from './certificates.ts';
import type { LoadedModel, LoadedSegment, LoadedVariant } from './models.ts';
import { toRow, valueOf, type Row } from './rows.ts';
import type {
  DecodedRequest,
  ExitWatch,
  ReachedExit,
  RunResult,
  Sample,
  SampleResult,
} from '../types.ts';
import type { Waiting } from './scheduler.ts';
import type { Steps } from './steps.ts';

/** A request in progress: its samples, the compute it has had (ms) and a promise of its result. */
export class Job {
  readonly items: readonly Item[];
  readonly stopping: ResolvedStopping;
  /** Resolves when every sample has stopped. */
  readonly result: Promise<RunResult>;
  cancelled = false;
  /** Whether its result was given or refused. */
  settled = false;
  /** Whether it found the worker idle: its first run may then end after the deadline. */
  foundIdle = false;
  /** Records the runs of a traced request. */
  steps: Steps | undefined;
  /** Whether it runs only while nothing else waits, and counts nowhere. */
  onlyWhenIdle = false;
  /** Compute that the request has had, ms: of each run its share of the batch. */
  attained = 0;
  /** Time in which a segment or decoder ran with one of its samples, ms. */
  computeMs = 0;
  /** When it last ran, or arrived. */
  since: number;
  private readonly results: SampleResult[] = [];
  private startedAt: number | undefined;
  /** Samples that have not stopped yet. */
  private left: number;
  private settle!: { resolve(result: RunResult): void; reject(error: unknown): void };

  /** @throws Problem where the parameters do not fit the model; RangeError where the samples do not */
  constructor(
    readonly id: number,
    readonly model: LoadedModel,
    samples: readonly Sample[],
    stopping: StoppingParameters,
    readonly arrivedAt: number,
    readonly watch?: ExitWatch,
    private readonly image: Pick<DecodedRequest, 'collect' | 'imageStatistic'> = {},
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

  /** See `DecodedRequest`. */
  get imageStatistic(): DecodedRequest['imageStatistic'] {
    return this.image.imageStatistic;
  }

  get deadline(): number {
    return this.arrivedAt + (this.stopping.deadlineMs ?? Number.POSITIVE_INFINITY);
  }

  /** Time that its samples still need to reach their first exit that computes, ms: no sample goes deeper before that. */
  get owedMs(): number {
    const { firstExit } = this.model;
    const perElement = new Map<readonly LoadedSegment[], readonly number[]>();
    let sum = 0;
    for (const { segments, next, elements } of this.items) {
      const owed = perElement.get(segments) ?? this.owedPerElement(segments);
      perElement.set(segments, owed);
      sum += (owed[next - firstExit] ?? 0) * elements;
    }
    return sum;
  }

  /** From before each segment to the first exit that computes, ms per element. */
  private owedPerElement(segments: readonly LoadedSegment[]): number[] {
    const needed = segments.slice(0, this.firstComputing + 1 - this.model.firstExit);
    return needed.map((_, i) =>
      needed.slice(i).reduce((sum, { msPerElement }) => sum + msPerElement, 0),
    );
  }

  /** The first exit, from 0, that is not the input itself. */
  get firstComputing(): number {
    return this.model.manifest.exits.findIndex((exit) => exit > 0);
  }

  /** Rejects the result: some of its samples cannot reach an exit before the deadline. */
  missDeadline(): void {
    this.fail(
      new Problem(
        'deadline-missed',
        'The deadline passed before the first exit was reached; send it again later or with a longer deadline_ms.',
      ),
    );
  }

  /** Records a run of `ms` that ended `now`, in which `share` of the batch was this job's. @param step its name */
  ran(step: string, ms: number, share: number, now: number): void {
    this.steps?.ran(step, now - ms, now);
    this.startedAt ??= now - ms;
    this.attained += ms * share;
    this.computeMs += ms;
    this.since = now;
  }

  /** Records that a sample has stopped. */
  done(item: Item, result: SampleResult): void {
    if (this.watch)
      this.reached(item, this.model.manifest.exits.indexOf(result.depth), true, result.outputs);
    item.hasStopped = true;
    this.image.collect?.(item.index, result);
    this.results[item.index] = this.image.collect ? { ...result, outputs: {} } : result;
    if (--this.left === 0) this.finish();
  }

  /** Tells the watch that a sample is at an exit, counted from 0; once for each exit. */
  reached(item: Item, exit: number, stopped: boolean, outputs?: SampleResult['outputs']): void {
    if (!this.watch || this.cancelled || item.told >= exit) return;
    item.told = exit;
    const { manifest, firstExit } = this.model;
    const { exits } = manifest;
    const pi = item.pi[exit];
    const threshold = exit < exits.length - 1 ? item.rule.thresholds[exit] : undefined;
    const tolerance =
      item.rule.signal === 'pi' ? certifiedAt(item.stoppable, item.pi, exit, firstExit) : undefined;
    const reached: ReachedExit = {
      sample: item.index,
      depth: at(exits, exit),
      ...(pi !== undefined && !Number.isNaN(pi) && { pi }),
      ...(threshold !== undefined && Number.isFinite(threshold) && { threshold }),
      ...(tolerance !== undefined && { tolerance }),
      elapsedMs: clock() - this.arrivedAt,
      stopped,
    };
    this.watch.reached(reached, outputs);
  }

  /** Rejects the result; samples that are still running are dropped when they come back. */
  fail(error: unknown): void {
    this.cancelled = true;
    this.settled = true;
    this.settle.reject(error);
  }

  private finish(): void {
    const now = clock();
    this.settled = true;
    const { stopping, model, arrivedAt, computeMs } = this;
    this.settle.resolve({
      model: model.manifest.name,
      maxDepth: model.manifest.depth,
      ...(stopping.seed !== undefined && { seed: stopping.seed }),
      ...(stopping.certificate && {
        tolerance: promiseOf(
          this.items.map(({ certificate, stoppable, index }) => ({
            ...{ certificate, stoppable, reason: at(this.results, index).reason },
          })),
          stopping,
          stopping.certificate,
        ),
      }),
      samples: this.results,
      timing: { queueMs: (this.startedAt ?? now) - arrivedAt, computeMs, totalMs: now - arrivedAt },
    });
  }
}

/** A sample in progress: the exit it runs to next, and the values of its inputs and states so far. */
export class Item implements Waiting {
  rule: StopRule;
  /** With rule `tolerance`: its row of the calibration table. */
  certificate: CertifiedRule | undefined;
  /** The form that it runs in after the first segment; undefined: float. */
  variant: LoadedVariant | undefined;
  /** Whether its form was chosen. */
  isChosen = false;
  /** Samples with equal shapes can share a batch. */
  readonly shape: string;
  /** Numbers in its inputs; run times are proportional to it. */
  readonly elements: number;
  /** Empty once it has stopped. */
  values: Record<string, Row>;
  hasStopped = false;
  /** The rule's signal at the exits up to the last one passed; NaN where it was not computed. */
  readonly pi: number[];
  /** The exit it runs to next, from 0. */
  next: number;
  /** The last exit, from 0, that the job's watch was told of. */
  told = -1;

  constructor(
    readonly job: Job,
    readonly index: number,
    sample: Sample,
  ) {
    const { manifest, firstExit } = job.model;
    this.next = firstExit;
    this.pi = new Array<number>(firstExit).fill(Number.NaN);
    const binding: Binding = new Map();
    const values: Record<string, Row> = {};
    let elements = 0;
    for (const { name, shape } of manifest.inputs) {
      const array = sample[name];
      if (!array) throw new RangeError(`the sample has no input ${name}`);
      bind(name, shape, array.dims, binding);
      values[name] = toRow(array);
      elements += array.data.length;
    }
    this.rule = stopRule(job.stopping, manifest, index);
    this.certificate = job.stopping.certificate;
    this.values = values;
    this.shape = [...binding].join(';');
    this.elements = elements;
  }

  /** Sets the form in which it runs on, with the stop rule that was certified for it. */
  runIn(variant: LoadedVariant | undefined): void {
    this.isChosen = true;
    this.variant = variant;
    const { stopping, model } = this.job;
    const own = ruleIn(variant, model.manifest, stopping, this.index);
    if (own) Object.assign(this, own);
  }

  /** The segments of its form. */
  get segments(): readonly LoadedSegment[] {
    return this.variant?.segments ?? this.job.model.segments;
  }

  /** The segment that ends at the exit that it runs to next. */
  get segment(): LoadedSegment {
    return at(this.segments, this.next - this.job.model.firstExit);
  }

  /** The variant that has run: none before the second segment, which is the first in another form. */
  get ranIn(): LoadedVariant | undefined {
    return this.passed > this.job.model.firstExit ? this.variant : undefined;
  }

  /** The model with the calibration table that holds for the sample. */
  get stoppable(): Stoppable {
    return stoppableIn(this.job.model.manifest, this.variant, this.ranIn !== undefined);
  }

  /** The input statistic, once the first segment has computed it. */
  get statistic(): number | undefined {
    const { statistic } = this.job.model.manifest;
    const row = statistic === undefined ? undefined : this.values[statistic];
    return row && valueOf(row);
  }

  get attained(): number {
    return this.job.attained;
  }

  get since(): number {
    return this.job.since;
  }

  /** The last exit it has reached, from 0; −1 before the first. */
  get passed(): number {
    return this.next - 1;
  }

  /** Whether it has reached an exit that computes. */
  get hasResult(): boolean {
    return this.passed >= this.job.firstComputing;
  }
}

/** A sample that stops at an exit; its outputs are still to be read out. */
export interface Stopped {
  readonly item: Item;
  /** The exit, from 0. */
  readonly at: number;
  readonly reason: StopReason;
}
