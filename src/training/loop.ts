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
    spent[stage.name] = await runStage(stage, options, spent, i === at ? resumed : undefined);
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

async function runStage(
  stage: Stage,
  options: LoopOptions,
  ended: Readonly<Record<string, Spent>>,
  resumed?: Resumed,
): Promise<Spent> {
  const { weights, threads, provider = 'cpu' } = options;
  const place = { threads, provider };
  const start = performance.now();
  await stage.start?.(weights, place, (share) => {
    const secondsLeft = ((performance.now() - start) / 1000) * (1 / share - 1);
    options.onProgress({
      stage: `${stage.name}, before it`,
      step: 0,
      progress: share,
      loss: Number.NaN,
      stepsPerSecond: 0,
      secondsLeft,
    });
    if (options.interrupted?.())
      throw new Interrupted(`Stopped before the steps of ${stage.name}.`);
  });
  const trainer = await Trainer.create(
    {
      loss: stage.loss,
      learn: stage.learn,
      weights,
      ...place,
      ...(stage.adam && { adam: stage.adam }),
    },
    resumed?.optimiser,
  );
  let step = resumed?.saved.steps ?? 0;
  let loss = resumed?.saved.loss ?? Number.NaN;
  const curve = [...(resumed?.saved.curve ?? [])];
  const before = resumed?.saved.seconds ?? 0;
  const firstStep = step;
  const firstAt = performance.now();
  const seconds = (): number => before + (performance.now() - start) / 1000;
  let saved = performance.now();
  const spent = (): Spent => ({
    steps: step,
    seconds: Math.round(seconds()),
    curve,
    ...(provider !== 'cpu' && { provider }),
  });
  const save = async (finished = false): Promise<void> => {
    const meta: Saved = {
      config: options.config,
      spent: finished ? { ...ended, [stage.name]: spent() } : ended,
      stage: stage.name,
      finished,
      steps: step,
      seconds: seconds(),
      source: options.source.state(),
      loss,
      curve,
    };
    await writeCheckpoint(checkpointFile(options.folder), {
      tensors: new Map([...weights, ...trainer.state().moments]),
      meta: meta as unknown as Record<string, unknown>,
    });
    saved = performance.now();
  };
  const progress = (): number =>
    stage.minutes ? seconds() / 60 / stage.minutes : step / stage.steps;
  while (progress() < 1 && (stage.minutes !== undefined || step < stage.steps)) {
    const now = progress();
    const seen = await trainer.step(stage.batch(now), stage.rate(now));
    step++;
    loss = Number.isNaN(loss) ? seen.loss![0]! : 0.99 * loss + 0.01 * seen.loss![0]!;
    if (Math.floor(POINTS * progress()) > Math.floor(POINTS * now))
      curve.push([step, Number(loss.toPrecision(4))]);
    const stepsPerSecond = ((step - firstStep) / (performance.now() - firstAt)) * 1000;
    const secondsLeft = stage.minutes
      ? stage.minutes * 60 - seconds()
      : (stage.steps - step) / stepsPerSecond;
    options.onProgress({
      stage: stage.name,
      step,
      progress: Math.min(progress(), 1),
      loss,
      stepsPerSecond,
      secondsLeft,
    });
    const interrupted = options.interrupted?.();
    if (interrupted || performance.now() - saved > options.checkpointSeconds * 1000) {
      trainer.store();
      await save();
    }
    if (interrupted) {
      await trainer.release();
      throw new Interrupted(`Stopped at step ${step} of ${stage.name}; go on with --resume.`);
    }
  }
  trainer.store();
  await stage.finish?.(weights, place);
  await save(true);
  await trainer.release();
  return spent();
}
