/** Runs the stages of a training in order, within a time limit, and resumes them from a checkpoint. */
import { mkdir } from 'node:fs/promises';
import Value from 'typebox/value';
import { readCheckpoint } from './checkpoint.ts';
import {
  checkpointFile,
  savedRunSchema,
  StageRun,
  type Progress,
  type Resumed,
  type Stage,
  type StageReport,
  type StageRunOptions,
} from './stage-run.ts';

/** Options of a run of all stages: whether it resumes, and its time limit. */
export interface LoopOptions extends Omit<StageRunOptions, 'onProgress'> {
  /** Continue from the checkpoint in `folder`. */
  readonly resume: boolean;
  /** Time limit of all stages together; time before a resume counts. */
  readonly minutes?: number;
  onProgress(progress: RunProgress): void;
}

/** Progress of a stage, and the time that it and the stages after it will take. */
export interface RunProgress extends Progress {
  readonly totalSecondsLeft: number;
}

/**
 * Runs the stages in order and leaves what was trained in `weights`.
 * @returns what each stage took, by name
 * @throws Interrupted where the run was stopped; the checkpoint holds what was learnt
 */
export async function runStages(
  stages: readonly Stage[],
  options: LoopOptions,
): Promise<Record<string, StageReport>> {
  await mkdir(options.folder, { recursive: true });
  const resumed = options.resume ? await restore(stages, options) : undefined;
  const at = stages.findIndex(({ name }) => name === resumed?.saved.stage);
  const first = resumed?.saved.finished ? at + 1 : Math.max(at, 0);
  const reports: Record<string, StageReport> = { ...resumed?.saved.reports };
  const deadlines = deadlinesOf(stages, 60 * (options.minutes ?? Number.POSITIVE_INFINITY));
  let elapsed = Object.values(reports).reduce((sum, { seconds }) => sum + seconds, 0);
  for (const [i, stage] of stages.entries()) {
    if (i < first || stage.steps === 0) continue;
    const limit = options.minutes === undefined ? undefined : deadlines[i]! - elapsed;
    const onProgress = (progress: Progress): void =>
      options.onProgress({
        ...progress,
        totalSecondsLeft:
          progress.secondsLeft + secondsAfter(stages, i, deadlines, progress.stepsPerSecond),
      });
    const own = { ...options, onProgress };
    const run = new StageRun(stage, own, reports, limit, i === at ? resumed : undefined);
    reports[stage.name] = await run.run();
    elapsed += run.seconds;
  }
  return reports;
}

/**
 * When each stage has to end, in seconds from the start of the run: the time is divided by the stages' shares. Time that a
 * stage leaves over goes to the next one.
 */
export function deadlinesOf(
  stages: readonly Pick<Stage, 'steps' | 'timeShare'>[],
  seconds: number,
): number[] {
  const shares = stages.map(({ steps, timeShare }) => (steps > 0 ? timeShare : 0));
  const total = shares.reduce((a, b) => a + b, 0);
  let until = 0;
  return shares.map((share) => (seconds * (until += share)) / total);
}

/**
 * What the stages after stage `i` will take, s: their time in a limited run, or their steps as fast as those of now.
 * @param deadlines see {@link deadlinesOf}
 */
export function secondsAfter(
  stages: readonly Pick<Stage, 'steps' | 'minutes' | 'fillsTime'>[],
  i: number,
  deadlines: readonly number[],
  stepsPerSecond: number,
): number {
  let seconds = 0;
  for (const [j, { steps, minutes, fillsTime }] of stages.entries()) {
    if (j <= i || steps === 0) continue;
    const limit = deadlines[j]! - deadlines[j - 1]!;
    const isLimited = Number.isFinite(limit);
    const needed = minutes === undefined ? steps / stepsPerSecond : 60 * minutes;
    seconds += isLimited && fillsTime ? limit : isLimited ? Math.min(limit, needed) : needed;
  }
  return seconds;
}

async function restore(
  stages: readonly Stage[],
  { folder, weights, source, config }: LoopOptions,
): Promise<Resumed> {
  const { tensors, meta: saved } = await readCheckpoint(checkpointFile(folder));
  if (!Value.Check(savedRunSchema, saved))
    throw new Error(
      `The checkpoint in ${folder} was written by another version; start anew with --fresh.`,
    );
  if (JSON.stringify(saved.config) !== JSON.stringify(config))
    throw new Error(
      `The checkpoint in ${folder} was made with another configuration; resume with the same options, or start anew with --fresh.`,
    );
  if (!stages.some(({ name }) => name === saved.stage))
    throw new Error(`The checkpoint in ${folder} is of an unknown stage ${saved.stage}.`);
  const moments = new Map<string, Float32Array>();
  for (const [name, data] of tensors) (name.includes(':') ? moments : weights).set(name, data);
  source.restore(saved.source);
  return { saved, optimiser: { steps: saved.steps, moments } };
}
