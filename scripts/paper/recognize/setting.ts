/** Runs every image to every exit through the engine; all tables and plots are computed from the result. */
import { basename } from 'node:path';
import { loadBundles } from '../../../src/bundle/read.ts';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import type { RunResult, Sample } from '../../../src/engine/types.ts';
import { recognizeConditions } from '../../../src/tasks/recognize/test-data.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { readRecognizable } from '../../../src/tasks/recognize/test-data.ts';
import { median } from '../../../src/util/median.ts';
import { softmax } from '../../../src/util/softmax.ts';
import type { ReproduceOptions } from '../report.ts';

/** The result for one image. */
export interface ImageTrace {
  readonly truth: number;
  /** Class probabilities at every exit. */
  readonly scores: readonly Float32Array[];
  /** π at every exit except the last. */
  readonly pi: readonly number[];
}

export interface Setting {
  readonly manifest: Manifest;
  readonly folder: string;
  readonly traces: readonly ImageTrace[];
  /** Compute time up to every exit for one image per request, ms: median over some of the images. */
  readonly ms: readonly number[];
}

/** Images in a quick run, images per request, and images timed one per request. */
const QUICK = 200;
const TOGETHER = 64;
const TIMED = 500;

/** The models for recognition, the default first. @throws Error if there is none */
export async function recognitionModels(modelsDir: string): Promise<[Manifest, ...Manifest[]]> {
  const { bundles } = await loadBundles(modelsDir);
  const models = bundles.map(({ manifest }) => manifest).filter(({ task }) => task === 'recognize');
  const [first, ...others] = models.sort((a, b) => Number(b.default) - Number(a.default));
  if (!first)
    throw new Error(
      `There is no model for recognition in ${modelsDir}; train one: npm run train -- recognize --data DIR.`,
    );
  return [first, ...others];
}

/** Runs the test images in `data` to every exit of a model. @throws Error without `data` */
export async function traceImages(
  { data, modelsDir, quick, onProgress }: ReproduceOptions,
  manifest: Manifest,
): Promise<Setting> {
  if (data === undefined)
    throw new Error(
      'recognize needs a folder of test images, with a folder for each class: --data DIR.',
    );
  onProgress('reading images', 0);
  const images = await readRecognizable(manifest, modelsDir, data);
  const [{ cases }] = recognizeConditions(images, manifest) as [
    ReturnType<typeof recognizeConditions>[number],
  ];
  const every = quick ? Math.max(1, Math.floor(cases.length / QUICK)) : 1;
  const chosen = cases.filter((_, i) => i % every === 0);
  const engine = await startEngine(modelsDir, [manifest.name]);
  try {
    const traces: ImageTrace[] = [];
    for (let from = 0; from < chosen.length; from += TOGETHER) {
      const some = chosen.slice(from, from + TOGETHER);
      const rows = await runEveryExit(
        engine,
        manifest,
        some.map(({ sample }) => sample),
      );
      rows.forEach((row, i) => traces.push({ truth: some[i]!.truth[0]!, ...row }));
      onProgress(manifest.name, from / chosen.length);
    }
    const timed = chosen.slice(0, TIMED).map(({ sample }) => sample);
    return {
      manifest,
      folder: basename(data),
      traces,
      ms: await singleImageTimes(engine, manifest, timed),
    };
  } finally {
    await engine.close();
  }
}

async function runEveryExit(
  engine: Engine,
  { name, exits, outputs }: Manifest,
  samples: readonly Sample[],
): Promise<Omit<ImageTrace, 'truth'>[]> {
  const runs: RunResult['samples'][] = [];
  for (const depth of exits)
    runs.push((await engine.run(name, samples, { rule: 'fixed', depth })).samples);
  return samples.map((_, i) => ({
    scores: runs.map((run) => Float32Array.from(softmax(run[i]!.outputs[outputs[0]!.name]!.data))),
    pi: runs.at(-1)![i]!.pi.slice(0, exits.length - 1),
  }));
}

async function singleImageTimes(
  engine: Engine,
  { name, exits }: Manifest,
  samples: readonly Sample[],
): Promise<number[]> {
  const times = exits.map(() => [] as number[]);
  for (const sample of samples) {
    for (const [i, depth] of exits.entries())
      times[i]!.push((await engine.run(name, [sample], { rule: 'fixed', depth })).timing.computeMs);
  }
  return times.map(median);
}
