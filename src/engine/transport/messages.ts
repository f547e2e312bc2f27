/** The messages between the engine and its workers. */
import type { Bundle, Refusal } from '../../bundle/read.ts';
import { Problem, type ProblemCode } from '../../errors.ts';
import type { Provider } from '../../runtime/session.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import type { StopReason } from '../../stopping/reasons.ts';
import type { RunResult, Sample, Step, TaskAnswer, TaskExit } from '../types.ts';

/** The bundles that a worker loads and how it runs them, as plain data. */
export interface WorkerOptions {
  readonly bundles: readonly Bundle[];
  /** `auto` measures every available provider and takes the fastest. */
  readonly provider: Provider | 'auto';
  readonly threads: number;
  /** When false every sample runs alone, even where batches are faster. */
  readonly regroup: boolean;
  /** Names of bundles that are checked now and opened by their first request. */
  readonly onFirstUse?: readonly string[];
  /** What the warm-up of another worker has measured; it is not measured again. */
  readonly measured?: readonly Measured[];
  /** The share of requests whose early answers are compared with full depth in idle time; default: 0. */
  readonly shadowShare?: number;
  /** See `EngineOptions`. */
  readonly variants?: string;
}

/** What a warm-up finds out about a model. */
export interface Measured {
  readonly model: string;
  /** The batch limit of each segment. */
  readonly limits: readonly number[];
  readonly pathIsFaster: boolean;
  /** The variants: the batch limits of their segments, or why they are not used. */
  readonly variants?: readonly MeasuredVariant[];
}

/** What a warm-up finds out about a variant. */
export interface MeasuredVariant {
  readonly name: string;
  readonly limits: readonly number[];
  readonly declined?: string;
}

/** Times are those of `clock()` (src/util/clock.ts), which both sides share. */
export type ToWorker =
  | {
      readonly type: 'perform';
      readonly id: number;
      readonly request: unknown;
      readonly arrivedAt: number;
      /** Whether the answer's summary is to have the steps. */
      readonly traced?: boolean;
    }
  | {
      readonly type: 'run';
      readonly id: number;
      readonly model: string;
      readonly samples: readonly Sample[];
      readonly stopping: StoppingParameters;
      readonly arrivedAt: number;
    }
  | { readonly type: 'cancel'; readonly id: number }
  /** The share of its exits that each model may use under load; 1 without load. */
  | { readonly type: 'cap'; readonly share: number }
  /** The request may be decoded. */
  | { readonly type: 'granted'; readonly id: number }
  /** Open a bundle beside those that are served; answered by `opened` or `unopened`. */
  | { readonly type: 'open'; readonly bundle: Bundle; readonly measured?: Measured }
  /** From now on requests choose among these bundles; what was opened and is not among them is freed. */
  | { readonly type: 'serve'; readonly bundles: readonly Bundle[] }
  /** Answered by `pong`, between two runs. */
  | { readonly type: 'ping' }
  | { readonly type: 'close' };

/** What a worker sends: once `ready` or `unfit`, then replies by `id` and measured runs. */
export type FromWorker =
  | {
      readonly type: 'ready';
      readonly provider: Provider;
      readonly notes: readonly string[];
      readonly refused: readonly Refusal[];
      readonly measured: readonly Measured[];
    }
  /** A bundle could not be opened at its first request. */
  | { readonly type: 'refused'; readonly refusal: Refusal }
  /** A bundle with variants was opened by its first request. */
  | { readonly type: 'measured'; readonly generation?: number; readonly measured: Measured }
  | { readonly type: 'opened'; readonly generation?: number; readonly measured: Measured }
  | { readonly type: 'unopened'; readonly generation?: number; readonly reason: string }
  /** The worker cannot serve, and ends. */
  | { readonly type: 'unfit'; readonly reason: string }
  /** A request waits to be granted its memory and a place for decoding. */
  | { readonly type: 'claim'; readonly id: number; readonly bytes: number; readonly work?: Work }
  | { readonly type: 'decoded'; readonly id: number; readonly work: Work }
  /** A sample of a request that follows its exits has reached one. */
  | { readonly type: 'exited'; readonly id: number; readonly exit: TaskExit }
  | {
      readonly type: 'answered';
      readonly id: number;
      readonly answer: TaskAnswer;
      readonly summary: Summary;
    }
  | { readonly type: 'ran'; readonly id: number; readonly result: RunResult }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly code: ProblemCode;
      readonly detail: string;
      /** Where decoding found it. */
      readonly model?: string;
    }
  | { readonly type: 'segments'; readonly runs: readonly SegmentRun[] }
  | ({ readonly type: 'shadow' } & ShadowReport)
  /** A run of these requests begins; predicted ms. Short runs of requests that have run before are left out. */
  | { readonly type: 'running'; readonly ids: readonly number[]; readonly ms: number }
  | { readonly type: 'pong' };

/** Messages of a worker that travel together; see `Outbox`. */
export interface Several {
  readonly type: 'several';
  readonly messages: readonly FromWorker[];
}

/** The samples of a request and their predicted compute. */
export interface Work {
  readonly samples: number;
  /** At the depths now being taken, ms. */
  readonly ms: number;
  /** A time of `clock()`. */
  readonly deadline?: number;
}

/** One run of one segment. */
export interface SegmentRun {
  readonly model: string;
  /** The segment's last layer. */
  readonly layer: number | 'path';
  /** The variant that ran, where it was not float. */
  readonly variant?: string;
  readonly batch: number;
  readonly seconds: number;
}

/** An answered request, as metrics and logs see it. */
export interface Summary {
  readonly model: string;
  readonly maxDepth: number;
  readonly depths: readonly number[];
  readonly reasons: readonly StopReason[];
  /** The variant of each sample, where the model has variants. */
  readonly variants?: readonly string[];
  readonly timing: RunResult['timing'];
  /** Of a traced request, in the order in which they began. */
  readonly steps?: readonly Step[];
}

/** What became of one shadow run. */
export interface ShadowReport {
  readonly model: string;
  /**
   * Distance of the early answer to full depth, in units of the quantile that 5 % exceeded at calibration; absent where the
   * run was dropped for want of memory.
   */
  readonly distance?: number;
}

/** The error that a worker reported. */
export const errorOf = ({ code, detail, model }: Extract<FromWorker, { type: 'failed' }>): Error =>
  code === 'internal' ? new Error(detail) : new Problem(code, detail, { model });
