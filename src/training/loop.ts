/** Long runs: batches in, steps, progress out, checkpoints, and a resume that goes on as if nothing had happened. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Value } from '../graph/value.ts';
import type { Provider, SessionOptions, Tensors } from '../runtime/session.ts';
import type { AdamOptions } from './adam.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { Schedule } from './schedule.ts';
import { Trainer, type OptimiserState } from './trainer.ts';
import type { Weights } from './weights.ts';

/** Where graphs run. */
export type Place = Pick<SessionOptions, 'provider' | 'threads'>;

export interface Stage {
  readonly name: string;
  readonly loss: Value;
  readonly learn: ReadonlyMap<string, Value>;
  readonly adam?: Partial<AdamOptions>;
  readonly rate: Schedule;
  /** The run ends after this many steps; none leaves the stage out … */
  readonly steps: number;
  /** … or, where given, when this much time has been spent on the stage; then progress is time, not steps. */
  readonly minutes?: number;
  /** The next batch, and whatever else the step reads. */
  batch(progress: number): Tensors;
  /**
   * Called before the first step, and again where a run goes on: equal weights must make it prepare the same.
   * @param onProgress takes the share of it that is done, 0..1; throws where the run is to end
   */
  start?(weights: Weights, place: Place, onProgress: (share: number) => void): Promise<void>;
  /** Called with what was learnt when the stage ends. */
  finish?(weights: Weights, place: Place): Promise<void>;
}

/** Where batches come from; its state is part of a checkpoint. */
export interface Source {
  state(): unknown;
  restore(state: unknown): void;
}

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

export interface LoopOptions extends Place {
  readonly weights: Weights;
  readonly source: Source;
  readonly threads: number;
  /** Where checkpoints go, one file that is overwritten. */
  readonly folder: string;
  readonly resume: boolean;
  readonly checkpointSeconds: number;
  /** Written into checkpoints; a resume with another configuration is refused. */
  readonly config: unknown;
  onProgress(progress: Progress): void;
  /** Asked between steps; true ends the run after a checkpoint. */
  interrupted?(): boolean;
}

/** What a stage took, and how its loss fell. */
export interface Spent {
  readonly steps: number;
  readonly seconds: number;
  /** The running mean of the loss after so many steps: some fifty points of a run. */
  readonly curve: readonly (readonly [step: number, loss: number])[];
  /** What ran the steps, where it was not the CPU. */
  readonly provider?: Provider;
}

interface Saved {
  readonly config: unknown;
  /** The stages that have ended. */
  readonly spent: Readonly<Record<string, Spent>>;
  readonly stage: string;
  /** Whether that stage has ended too: what it does at its end is not done again. */
  readonly finished: boolean;
  readonly steps: number;
  readonly seconds: number;
  readonly source: unknown;
  readonly loss: number;
  readonly curve: Spent['curve'];
}

/** The points of a learning curve. */
const POINTS = 50;

/** The run was asked to end before it was done; the checkpoint holds what there is. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export const checkpointFile = (folder: string): string => join(folder, 'checkpoint.safetensors');

/** Runs the stages in order; what each has learnt is in `weights` at the end. Gives what each took, by name. */
export async function runStages(
  stages: readonly Stage[],
  options: LoopOptions,
): Promise<Record<string, Spent>> {
  await mkdir(options.folder, { recursive: true });
  const resumed = options.resume ? await restore(stages, options) : undefined;
  const at = stages.findIndex(({ name }) => name === resumed?.saved.stage);
  const first = resumed?.saved.finished ? at + 1 : Math.max(at, 0);
  const spent: Record<string, Spent> = { ...resumed?.saved.spent };
  for (const [i, stage] of stages.entries()) {
    if (i < first || stage.steps === 0) continue;
    const run = new StageRun(stage, options, spent, i === at ? resumed : undefined);
    spent[stage.name] = await run.run();
  }
  return spent;
}

interface Resumed {
  readonly saved: Saved;
  readonly optimiser: OptimiserState;
}

async function restore(
  stages: readonly Stage[],
  { folder, weights, source, config }: LoopOptions,
): Promise<Resumed> {
  const { tensors, meta } = await readCheckpoint(checkpointFile(folder));
  const saved = meta as unknown as Saved;
  if (JSON.stringify(saved.config) !== JSON.stringify(config)) {
    throw new Error(
      `The checkpoint in ${folder} was made with another configuration; train without --resume, or with the same options.`,
    );
  }
  if (!stages.some(({ name }) => name === saved.stage))
    throw new Error(`The checkpoint in ${folder} is of a stage ${saved.stage}.`);
  const moments = new Map<string, Float32Array>();
  for (const [name, data] of tensors) (name.includes(':') ? moments : weights).set(name, data);
  source.restore(saved.source);
  return { saved, optimiser: { steps: saved.steps, moments } };
}

/** One stage while it runs: what has been done of it, and how that is kept. */
class StageRun {
  private readonly start = performance.now();
  private readonly before: number;
  private readonly firstStep: number;
  private readonly curve: (readonly [step: number, loss: number])[];
  private firstAt = performance.now();
  private savedAt = performance.now();
  private step: number;
  private loss: number;

  constructor(
    private readonly stage: Stage,
    private readonly options: LoopOptions,
    private readonly ended: Readonly<Record<string, Spent>>,
    private readonly resumed: Resumed | undefined,
  ) {
    const saved = resumed?.saved;
    this.step = this.firstStep = saved?.steps ?? 0;
    this.loss = saved?.loss ?? Number.NaN;
    this.curve = [...(saved?.curve ?? [])];
    this.before = saved?.seconds ?? 0;
  }

  async run(): Promise<Spent> {
    const { stage, options } = this;
    const { weights, threads, provider = 'cpu' } = options;
    const place = { threads, provider };
    await stage.start?.(weights, place, (share) => this.reportPreparation(share));
    const { loss, learn, adam } = stage;
    const trainer = await Trainer.create(
      { loss, learn, weights, ...place, ...(adam && { adam }) },
      this.resumed?.optimiser,
    );
    this.firstAt = this.savedAt = performance.now();
    try {
      while (this.progress < 1 && (stage.minutes !== undefined || this.step < stage.steps))
        await this.takeStep(trainer);
      trainer.store();
      await stage.finish?.(weights, place);
      await this.save(trainer, true);
    } finally {
      await trainer.release();
    }
    return this.spent();
  }

  private get seconds(): number {
    return this.before + (performance.now() - this.start) / 1000;
  }

  /** 0..1: of the stage's minutes where it has some, else of its steps. */
  private get progress(): number {
    const { minutes, steps } = this.stage;
    return minutes ? this.seconds / 60 / minutes : this.step / steps;
  }

  /** @throws Interrupted after a checkpoint, where the run was asked to end */
  private async takeStep(trainer: Trainer): Promise<void> {
    const { stage, options } = this;
    const now = this.progress;
    const seen = await trainer.step(stage.batch(now), stage.rate(now));
    const loss = seen.loss![0]!;
    this.step++;
    this.loss = Number.isNaN(this.loss) ? loss : 0.99 * this.loss + 0.01 * loss;
    if (Math.floor(POINTS * this.progress) > Math.floor(POINTS * now))
      this.curve.push([this.step, Number(this.loss.toPrecision(4))]);
    this.report();
    const interrupted = options.interrupted?.();
    if (interrupted || performance.now() - this.savedAt > options.checkpointSeconds * 1000) {
      trainer.store();
      await this.save(trainer);
    }
    if (interrupted)
      throw new Interrupted(`Stopped at step ${this.step} of ${stage.name}; go on with --resume.`);
  }

  private report(): void {
    const { stage, step, loss } = this;
    const stepsPerSecond = ((step - this.firstStep) / (performance.now() - this.firstAt)) * 1000;
    const secondsLeft = stage.minutes
      ? stage.minutes * 60 - this.seconds
      : (stage.steps - step) / stepsPerSecond;
    const progress = Math.min(this.progress, 1);
    this.options.onProgress({
      stage: stage.name,
      step,
      progress,
      loss,
      stepsPerSecond,
      secondsLeft,
    });
  }

  private reportPreparation(share: number): void {
    const { name } = this.stage;
    this.options.onProgress({
      stage: `${name}, before it`,
      step: 0,
      progress: share,
      loss: Number.NaN,
      stepsPerSecond: 0,
      secondsLeft: ((performance.now() - this.start) / 1000) * (1 / share - 1),
    });
    if (this.options.interrupted?.()) throw new Interrupted(`Stopped before the steps of ${name}.`);
  }

  private spent(): Spent {
    const { step: steps, curve } = this;
    const { provider = 'cpu' } = this.options;
    return {
      steps,
      seconds: Math.round(this.seconds),
      curve,
      ...(provider !== 'cpu' && { provider }),
    };
  }

  private async save(trainer: Trainer, finished = false): Promise<void> {
    const { stage, options, ended, step, loss, curve } = this;
    const meta: Saved = {
      config: options.config,
      spent: finished ? { ...ended, [stage.name]: this.spent() } : ended,
      stage: stage.name,
      finished,
      steps: step,
      seconds: this.seconds,
      source: options.source.state(),
      loss,
      curve,
    };
    await writeCheckpoint(checkpointFile(options.folder), {
      tensors: new Map([...options.weights, ...trainer.state().moments]),
      meta: meta as unknown as Record<string, unknown>,
    });
    this.savedAt = performance.now();
  }
}
