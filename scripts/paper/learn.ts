/** Models that are learnt for a table alone: into a temporary folder, from which an engine serves them as any other. */
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

export interface Lesson {
  /** The bundle's name. */
  readonly name: string;
  readonly task: TaskName;
  readonly train: (options: TrainOptions) => Promise<Trained>;
  /** Weights to start from, or the name of an earlier one whose weights they are. */
  readonly from?: Weights | string;
  /** The task's own files in the bundle. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

/** Learns each in turn, serves them all, and removes them afterwards. */
export async function withLearnt<T>(
  lessons: readonly Lesson[],
  onProgress: (what: string, share: number) => void,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-'));
  try {
    for (const [i, lesson] of lessons.entries()) {
      await learn(lesson, folder, (what, share) =>
        onProgress(`${lesson.name}, ${what}`, (i + share) / lessons.length),
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

async function learn(
  { name, task, train, from, files = new Map() }: Lesson,
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
