/** One training stage while it runs: steps, progress, checkpoints. */
import { join } from 'node:path';
import type { Static } from 'typebox';
import Type from 'typebox';
import type { Value } from '../graph/value.ts';
import { providers, type Provider, type SessionOptions, type Tensors } from '../runtime/session.ts';
import type { AdamOptions } from './adam.ts';
import { writeCheckpoint } from './checkpoint.ts';
import type { Schedule } from './schedule.ts';
import { Trainer, type OptimiserState } from './trainer.ts';
import type { Weights } from './weights.ts';

/** What runs the graphs. */
export type RunOn = Pick<SessionOptions, 'provider' | 'threads'>;

/** A part of training with its own loss, parameters and learning rate. */
export interface Stage {
  readonly name: string;
  readonly loss: Value;
  /** The parameters that are trained, by name. */
  readonly learn: ReadonlyMap<string, Value>;
  readonly adam?: Partial<AdamOptions>;
  readonly rate: Schedule;
  /** The stage ends after this many steps; 0 leaves it out. */
  readonly steps: number;
  /** The stage ends after this time instead, and its progress is time. */
  readonly minutes?: number;
  /** The stage's share of a limited run, relative to the other stages. */
  readonly timeShare: number;
  /** Whether the stage uses all of its time in a limited run, however many steps that takes. */
  readonly fillsTime: boolean;
  /** The next batch and the step's other inputs. @param progress of the stage, 0..1 */
  batch(progress: number): Tensors;
  /**
   * Called before the first step, and again after a resume; it must prepare the same from the same weights.
   * @param onProgress takes the share that is done, 0..1; throws {@link Interrupted} where the run is to stop
   */
  start?(weights: Weights, runOn: RunOn, onProgress: (share: number) => void): Promise<void>;
  /** Called with the trained weights when the stage ends. */
  finish?(weights: Weights, runOn: RunOn): Promise<void>;
}

/** Where batches come from; its state is part of a checkpoint. */
export interface Source {
  state(): unknown;
  restore(state: unknown): void;
}

/** State of a running stage, as the progress line shows it. */
export interface Progress {
  readonly stage: string;
  readonly step: number;
  /** 0..1. */
  readonly progress: number;
  /** The running mean of the loss. */
  readonly loss: number;
  readonly stepsPerSecond: number;
  readonly secondsLeft: number;
}

const curveSchema = Type.Array(Type.Tuple([Type.Number(), Type.Number()]));

/** What a stage took and how its loss fell. */
export const stageReportSchema = Type.Object({
  steps: Type.Integer(),
  seconds: Type.Number(),
  /** [step, running mean of the loss], about fifty points. */
  curve: curveSchema,
  /** What ran the steps; the CPU where absent. */
  provider: Type.Optional(Type.Enum([...providers])),
});
/** Type of {@link stageReportSchema}. */
export type StageReport = Static<typeof stageReportSchema>;

/** What a checkpoint holds beside the tensors. */
export const savedRunSchema = Type.Object({
  config: Type.Unknown(),
  /** The stages that have ended. */
  reports: Type.Record(Type.String(), stageReportSchema),
  stage: Type.String(),
  /** Whether `stage` has ended; its `finish` is then not called again. */
  finished: Type.Boolean(),
  steps: Type.Integer(),
  seconds: Type.Number(),
  source: Type.Unknown(),
  /** null before the first step. */
  loss: Type.Union([Type.Number(), Type.Null()]),
  curve: curveSchema,
});
/** Type of {@link savedRunSchema}. */
export type SavedRun = Static<typeof savedRunSchema>;

/** A run that goes on from a checkpoint. */
export interface Resumed {
  readonly saved: SavedRun;
  readonly optimiser: OptimiserState;
}

/** What the stages of a run share: weights, batches, checkpoint folder and callbacks. */
export interface StageRunOptions extends RunOn {
  readonly weights: Weights;
  readonly source: Source;
  readonly threads: number;
  /** The folder of the checkpoint, one file that is overwritten. */
  readonly folder: string;
  readonly checkpointSeconds: number;
  /** Written into checkpoints; resuming with another configuration is refused. */
  readonly config: unknown;
  onProgress(progress: Progress): void;
  /** Called between steps; true stops the run after a checkpoint. */
  interrupted?(): boolean;
}

/** Points of a learning curve. */
const CURVE_POINTS = 50;
/** Weight of the last step in the running mean of the loss. */
const LOSS_WEIGHT = 0.01;

/** The run was stopped before it was done; the checkpoint holds what was learnt. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Path of the checkpoint in a run's folder. */
export const checkpointFile = (folder: string): string => join(folder, 'checkpoint.safetensors');

/** Runs one stage to its last step or time limit; saves a checkpoint at intervals and at the end. */
export class StageRun {
  private readonly start = performance.now();
  private readonly before: number;
  private readonly firstStep: number;
  private readonly curve: [step: number, loss: number][];
  private firstAt = performance.now();
  private savedAt = performance.now();
  private step: number;
  private loss: number;

  /**
   * @param ended reports of the stages before
   * @param seconds the stage's time limit in a limited run
   */
  constructor(
    private readonly stage: Stage,
    private readonly options: StageRunOptions,
    private readonly ended: Readonly<Record<string, StageReport>>,
    private readonly limit: number | undefined,
    private readonly resumed: Resumed | undefined,
  ) {
    const saved = resumed?.saved;
    this.step = this.firstStep = saved?.steps ?? 0;
    this.loss = saved?.loss ?? Number.NaN;
    this.curve = [...(saved?.curve ?? [])];
    this.before = saved?.seconds ?? 0;
  }

  async run(): Promise<StageReport> {
    const { stage, options } = this;
    const { weights, threads, provider = 'cpu' } = options;
    const runOn = { threads, provider };
    await stage.start?.(weights, runOn, (share) => this.reportPreparation(share));
    const { loss, learn, adam } = stage;
    const trainer = await Trainer.create(
      { loss, learn, weights, ...runOn, ...(adam && { adam }) },
      this.resumed?.optimiser,
    );
    this.firstAt = this.savedAt = performance.now();
    try {
      while (this.progress < 1 || this.step === 0) await this.takeStep(trainer);
      trainer.store();
      await stage.finish?.(weights, runOn);
      await this.save(trainer, true);
    } finally {
      await trainer.release();
    }
    return this.report();
  }

  /** Seconds spent on the stage, those before a resume included. */
  get seconds(): number {
    return this.before + (performance.now() - this.start) / 1000;
  }

  /** The seconds that the stage may take. */
  private get available(): number {
    const { minutes = Number.POSITIVE_INFINITY } = this.stage;
    return Math.min(60 * minutes, this.limit ?? Number.POSITIVE_INFINITY);
  }

  /** Whether the stage ends by time alone. */
  private get isTimed(): boolean {
    const { minutes, fillsTime } = this.stage;
    return minutes !== undefined || (fillsTime && this.limit !== undefined);
  }

  /** 0..1: the share of its time that has passed, or of its steps where more of these are done. */
  private get progress(): number {
    const byTime = this.seconds / Math.max(this.available, 1e-9);
    return this.isTimed ? byTime : Math.max(byTime, this.step / this.stage.steps);
  }

  /** @throws Interrupted after a checkpoint, where the run is to stop */
  private async takeStep(trainer: Trainer): Promise<void> {
    const { stage, options } = this;
    const now = this.progress;
    const seen = await trainer.step(stage.batch(now), stage.rate(now));
    const loss = seen.loss![0]!;
    this.step++;
    this.loss = Number.isNaN(this.loss) ? loss : this.loss + LOSS_WEIGHT * (loss - this.loss);
    if (Math.floor(CURVE_POINTS * this.progress) > Math.floor(CURVE_POINTS * now))
      this.curve.push([this.step, Number(this.loss.toPrecision(4))]);
    this.reportStep();
    const interrupted = options.interrupted?.();
    if (interrupted || performance.now() - this.savedAt > options.checkpointSeconds * 1000) {
      trainer.store();
      await this.save(trainer);
    }
    if (interrupted)
      throw new Interrupted(
        `Stopped at step ${this.step} of ${stage.name}; continue with --resume.`,
      );
  }

  private reportStep(): void {
    const { stage, step, loss } = this;
    const stepsPerSecond = ((step - this.firstStep) / (performance.now() - this.firstAt)) * 1000;
    const byTime = this.available - this.seconds;
    const bySteps = (stage.steps - step) / stepsPerSecond;
    this.options.onProgress({
      stage: stage.name,
      step,
      progress: Math.min(this.progress, 1),
      loss,
      stepsPerSecond,
      secondsLeft: this.isTimed ? byTime : Math.min(byTime, bySteps),
    });
  }

  private reportPreparation(share: number): void {
    const { name } = this.stage;
    this.options.onProgress({
      stage: `${name}, preparing`,
      step: 0,
      progress: share,
      loss: Number.NaN,
      stepsPerSecond: 0,
      secondsLeft: ((performance.now() - this.start) / 1000) * (1 / share - 1),
    });
    if (this.options.interrupted?.())
      throw new Interrupted(`Stopped before the first step of ${name}.`);
  }

  private report(): StageReport {
    const { step: steps, curve } = this;
    const { provider = 'cpu' } = this.options;
    return {
      steps,
      seconds: Math.round(this.seconds),
      curve,
      ...(provider !== 'cpu' && { provider: provider satisfies Provider }),
    };
  }

  private async save(trainer: Trainer, finished = false): Promise<void> {
    const { stage, options, ended, step, loss, curve } = this;
    const meta: SavedRun = {
      config: options.config,
      reports: finished ? { ...ended, [stage.name]: this.report() } : ended,
      stage: stage.name,
      finished,
      steps: step,
      seconds: this.seconds,
      source: options.source.state(),
      loss: Number.isNaN(loss) ? null : loss,
      curve,
    };
    await writeCheckpoint(checkpointFile(options.folder), {
      tensors: new Map([...options.weights, ...trainer.state().moments]),
      meta,
    });
    this.savedAt = performance.now();
  }
}
