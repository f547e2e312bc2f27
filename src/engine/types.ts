/** Requests and results of the engine: plain data, sent between threads or processes as messages. */
import type { Manifest } from '../bundle/manifest.ts';
import type { StoppingParameters } from '../stopping/parameters.ts';
import type { StopReason } from '../stopping/reasons.ts';

/** A float32 array with its dimensions, without the batch dimension. */
export interface Array32 {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** One row of a batch, such as a measurement vector, an image or a tile: every model input by name. */
export type Sample = Record<string, Array32>;

/** The outputs of one sample, with the depth at which it stopped and the reason. */
export interface SampleResult {
  /** The depth at which the sample stopped, 0..T. */
  readonly depth: number;
  readonly reason: StopReason;
  /** π at the exits up to there, in order; NaN where it was not computed. */
  readonly pi: readonly number[];
  /** The statistic of the input that segment 0 computes, such as its noise level; where the model has one. */
  readonly statistic?: number;
  /** The variant that ran after the first segment, or `float`; where the model has variants. */
  readonly variant?: string;
  /** Every model output by name. */
  readonly outputs: Record<string, Array32>;
}

/** An exit that a sample has reached. */
export interface ReachedExit {
  /** The sample's index in its request. */
  readonly sample: number;
  /** The depth of the exit, 0..T. */
  readonly depth: number;
  /** What the stop rule compares, such as π; absent where it was not computed, as at the last exit. */
  readonly pi?: number;
  /** What it is compared with; absent where the policy cannot stop the sample there. */
  readonly threshold?: number;
  /** The smallest tolerance of the calibration table whose certified rule stops the sample here; absent where none does. */
  readonly tolerance?: number;
  /** From arrival, ms. */
  readonly elapsedMs: number;
  readonly stopped: boolean;
}

/** A reached exit, with the answer there where that was asked for: bytes as `ExitEncoder` makes them. */
export interface TaskExit extends ReachedExit {
  readonly answer?: Uint8Array;
}

/** Follows the samples of a request from exit to exit. */
export interface ExitWatch {
  /** Whether it wants the outputs at each exit as well. */
  readonly wantsOutputs: boolean;
  reached(exit: ReachedExit, outputs: SampleResult['outputs'] | undefined): void;
}

/** Encodes the answer of one sample at an exit, inside a worker. @param outputs every model output by name */
export type ExitEncoder = (
  exit: ReachedExit,
  outputs: SampleResult['outputs'],
) => Uint8Array | Promise<Uint8Array>;

/** Where the time of a request went, ms. */
export interface Timing {
  /** From arrival until the first segment ran. */
  readonly queueMs: number;
  /** Time in which a segment or decoder of this request was running. */
  readonly computeMs: number;
  /** From arrival until the end of compute. */
  readonly totalMs: number;
}

/** What a worker did for a traced request: `decode`, `segment N` by its last layer, `path`, `read-out` or `encode`. */
export interface Step {
  readonly name: string;
  /** When it first began and last ended, from the request's arrival, ms. */
  readonly startMs: number;
  readonly endMs: number;
  readonly runs: number;
  /** Time in which it ran, ms. */
  readonly ms: number;
}

/** The results of a request's samples, in the order of the request, and how they were obtained. */
export interface RunResult {
  readonly model: string;
  readonly maxDepth: number;
  /** The seed of the `sample` rule, drawn where none was given. */
  readonly seed?: number;
  /** With rule `tolerance`: the row of the calibration table used, and whether its certificate holds for this answer. */
  readonly tolerance?: { readonly used: number; readonly guaranteed: boolean };
  readonly samples: readonly SampleResult[];
  readonly timing: Timing;
}

/** A request as it is sent to a worker; the engine passes it on unread. */
export interface Packed {
  readonly request: unknown;
  /** Buffers of the request that may be handed over instead of copied. */
  readonly transfer: readonly ArrayBuffer[];
}

/** What the caller knows of a request. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Who sent it, such as its address: clients share the service fairly. */
  readonly client?: string;
  /** Requests of the same kind, such as those of one task, cost about the same for each byte. */
  readonly kind?: string;
  readonly bytes?: number;
  /** From arrival to the end of compute, ms, where that is known before decoding. */
  readonly deadlineMs?: number;
  /** Whether the summary is to have the steps. */
  readonly traced?: boolean;
  /** Is told of the exits that samples reach, once each and before the answer, where the decoded request has `exits`. */
  readonly onExit?: (exit: TaskExit) => void;
}

/** The bytes of an answer and what the HTTP side needs to know of it. */
export interface TaskAnswer {
  readonly contentType: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** A request decoded into samples, and the way back from results to bytes. Both run inside a worker. */
export interface DecodedRequest {
  readonly model: string;
  readonly samples: readonly Sample[];
  /** The parameters in force: those of the request, or of its JSON body. */
  readonly stopping: StoppingParameters;
  /** Where the samples are parts of one image, which takes one variant: its statistic, from those of its parts. */
  readonly imageStatistic?: (parts: readonly number[]) => number;
  /** Where the caller follows the exits: what encodes the answers there, if those are wanted too. */
  readonly exits?: { readonly encode?: ExitEncoder };
  /**
   * Takes the outputs of each sample, once and before `encode`, whose result is then without them: so that what a request of many
   * samples holds is its answer, and not its outputs and then its answer.
   * @param index the sample's place in the request
   */
  readonly collect?: (index: number, result: SampleResult) => void;
  encode(result: RunResult): Promise<TaskAnswer>;
}

/** What a request needs, as far as its headers tell. */
export interface Claim {
  /** Memory from its decoding to its answer, bytes: decoded values, samples, results. */
  readonly bytes: number;
  /** The model that it is for and the numbers in its samples' inputs, where that is known before it is decoded. */
  readonly work?: {
    readonly model: string;
    readonly samples: number;
    readonly elements: number;
    readonly stopping: StoppingParameters;
  };
}

/** Waits until a request may be decoded; at most once for each request. @throws Problem where it is refused */
export type Admit = (claim: Claim) => Promise<void>;

/**
 * Turns a request into samples, inside a worker, so it may be slow. The engine passes requests on unread.
 * @param signal aborts when the client leaves: a long decoding ends then, with an error of its own choice
 * @param admit to be awaited before decoding anything that is large in relation to the request's bytes
 * @throws Problem where the request is at fault
 */
export type Decoder = (
  request: unknown,
  models: ReadonlyMap<string, Manifest>,
  files: TaskFiles,
  signal: AbortSignal,
  admit: Admit,
) => Promise<DecodedRequest>;

/** Reads a task file of a model, such as `labels.json`. */
export type TaskFiles = (model: string, file: string) => Promise<Uint8Array>;
