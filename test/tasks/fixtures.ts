/** Models and results that tasks can be tested with, without an engine. */
import type { Manifest, TaskName } from '../../src/bundle/manifest.ts';
import type {
  Array32,
  DecodedRequest,
  RunResult,
  Sample,
  TaskAnswer,
  TaskFiles,
} from '../../src/engine/types.ts';
import type { Task, TaskRequest } from '../../src/tasks/task.ts';
import { Problem, type ProblemCode } from '../../src/errors.ts';
import { expect } from 'vitest';

export function manifest(
  name: string,
  task: TaskName,
  shape: Manifest['inputs'][number]['shape'],
  isDefault = true,
): Manifest {
  const [input, output] = task === 'denoise' ? ['image', 'denoised'] : ['measurements', 'signal'];
  return {
    schema_version: 1,
    name,
    version: '1',
    task,
    family: 'test',
    default: isDefault,
    depth: 12,
    exits: [4, 8, 12],
    inputs: [{ name: input, dtype: 'float32', shape }],
    states: [],
    outputs: [{ name: output, dtype: 'float32', shape }],
    segments: [],
    decoders: [],
    flops: { per: 'sample', segments: [], heads: [], policies: [] },
    training: {},
    files: {},
    task_files: [],
  };
}

export const byName = (...manifests: Manifest[]): ReadonlyMap<string, Manifest> =>
  new Map(manifests.map((one) => [one.name, one]));

/** Answers a decoded request with a function of each sample, stopping the samples at the exits in turn. */
export function answer(
  decoded: DecodedRequest,
  output: string,
  model: (sample: Sample, index: number) => Array32,
  seed?: number,
): Promise<TaskAnswer> {
  const depths = [4, 12, 8];
  const result: RunResult = {
    model: decoded.model,
    maxDepth: 12,
    ...(seed !== undefined && { seed }),
    samples: decoded.samples.map((sample, i) => ({
      depth: depths[i % 3]!,
      reason: depths[i % 3] === 12 ? ('max_depth' as const) : ('policy' as const),
      pi: [0.123456789, 0.5].slice(0, depths[i % 3]! / 4),
      outputs: { [output]: model(sample, i) },
    })),
    timing: { queueMs: 1.23456, computeMs: 20, totalMs: 25.5 },
  };
  result.samples.forEach((sample, index) => decoded.collect?.(index, sample));
  return decoded.encode(result);
}

/** The problem that some work ends with. */
export async function problem(
  work: () => Promise<unknown>,
): Promise<{ code: ProblemCode; status: number; message: string }> {
  const error: unknown = await work().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
}

/** The task's decoder with these settings, for requests that may leave the rest out. */
export const decoderOf =
  (task: Task, maxPixels = 2e6, files: TaskFiles = noFiles) =>
  (
    request: Omit<TaskRequest, 'options'> & Partial<TaskRequest>,
    models: ReadonlyMap<string, Manifest>,
  ): Promise<DecodedRequest> =>
    task.decode({ options: {}, ...request }, { models, files, settings: { maxPixels } });

const noFiles: TaskFiles = () => Promise.reject(new Error('there is no file'));
