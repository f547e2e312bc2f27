/** Models that are trained for one table only, in a temporary folder that an engine serves. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SCHEMA_VERSION, type TaskName } from '../../src/bundle/manifest.ts';
import { writeBundle } from '../../src/bundle/write.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { startEngine } from '../../src/evaluation/measure.ts';
import { readWeights } from '../../src/training/from-bundle.ts';
import type { TrainOptions, Trained } from '../../src/training/train.ts';
import type { Weights } from '../../src/training/weights.ts';

export interface TrainingJob {
  /** The bundle's name. */
  readonly name: string;
  readonly task: TaskName;
  readonly train: (options: TrainOptions) => Promise<Trained>;
  /** Initial weights, or the name of an earlier job that gives them. */
  readonly from?: Weights | string;
  /** The task's own files in the bundle. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

/** Runs the jobs in order, passes an engine with all their models to `use`, and deletes the models afterwards. */
export async function withTrainedModels<T>(
  jobs: readonly TrainingJob[],
  onProgress: (what: string, share: number) => void,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-'));
  try {
    for (const [i, job] of jobs.entries()) {
      await trainOne(job, folder, (what, share) =>
        onProgress(`${job.name}, ${what}`, (i + share) / jobs.length),
      );
    }
    const engine = await startEngine(folder);
    try {
      return await use(engine);
    } finally {
      await engine.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function trainOne(
  { name, task, train, from, files = new Map() }: TrainingJob,
  folder: string,
  onProgress: (what: string, share: number) => void,
): Promise<void> {
  const { lowered, provenance } = await train({
    threads: 1,
    folder: join(folder, '.checkpoints', name),
    resume: false,
    checkpointSeconds: Number.POSITIVE_INFINITY,
    ...(from !== undefined && {
      from: typeof from === 'string' ? await readWeights(join(folder, from)) : from,
    }),
    onProgress: ({ stage, progress }) => onProgress(stage, progress),
  });
  const { contents, ...rest } = lowered;
  await writeBundle(
    join(folder, name),
    {
      schema_version: SCHEMA_VERSION,
      name,
      version: '1',
      task,
      default: false,
      ...rest,
      training: provenance,
      task_files: [...files.keys()],
    },
    new Map([...contents, ...files]),
  );
}
