/** Time and quality of adaptive depth against full depth of the same bundle. */
import type { Bundle } from '../../src/bundle/read.ts';
import type { Condition } from '../../src/evaluation/data.ts';
import { denoiseConditions } from '../../src/tasks/denoise/test-data.ts';
import { startEngine } from '../../src/evaluation/measure.ts';
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import { freshSignals } from '../../src/tasks/sparse-recovery/test-data.ts';
import { recipeFor } from '../../src/tasks/recipes.ts';
import type { Metric } from '../../src/evaluation/metrics.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { StoppingParameters } from '../../src/stopping/parameters.ts';
import { cleanImages, defaultBundle, syntheticTasks } from './material.ts';
import { alternate, fewer, round, type Bench, type BenchOptions, type Row } from './row.ts';

const SIGMAS = [15, 25, 35, 45, 55, 65, 75];
const IMAGES = 6;

export const depth: Bench = {
  name: 'depth',
  about:
    'Adaptive depth at the calibrated threshold against full depth, same bundle, mixed inputs, wall-clock time of the engine.',
  async run(options) {
    const recovery = await defaultBundle(options.modelsDir, 'sparse-recovery');
    const denoise = await defaultBundle(options.modelsDir, 'denoise');
    const fewShot = await defaultBundle(options.modelsDir, 'few-shot');
    const signals = freshSignals(
      await matrixOf(recovery.manifest, options.modelsDir),
      { sparsity: 0.1, snr: [20, 30, 40] },
      fewer(256, options.quick),
    );
    const images = (await cleanImages(options)).slice(0, fewer(IMAGES, options.quick));
    return [
      ...(await compareDepths(options, recovery, signals.conditions(recovery.manifest, 1), 1)),
      ...(await compareDepths(options, recovery, signals.conditions(recovery.manifest, 1), 64)),
      ...(await compareDepths(
        options,
        denoise,
        denoiseConditions(images, denoise.manifest, SIGMAS, 1, true),
        1,
      )),
      ...(await compareDepths(
        options,
        fewShot,
        syntheticTasks(fewShot.manifest, fewer(24, options.quick)).conditions(fewShot.manifest, 1),
        1,
      )),
      ...[recovery, denoise, fewShot].map(overhead),
    ];
  },
};

/** Runs all samples, `batch` per request, with each rule in turn. */
async function compareDepths(
  { modelsDir, quick }: BenchOptions,
  { manifest }: Bundle,
  conditions: readonly Condition[],
  batch: number,
): Promise<Row[]> {
  const { name } = manifest;
  const engine = await startEngine(modelsDir, [name]);
  const metric = recipeFor(manifest.task).metric;
  try {
    // Interleaved, so that every request mixes the conditions.
    const longest = Math.max(...conditions.map(({ cases }) => cases.length));
    const cases = Array.from({ length: longest }, (_, i) =>
      conditions.map(({ cases: list }) => list[i]!),
    ).flat();
    const requests = Array.from({ length: Math.ceil(cases.length / batch) }, (_, i) =>
      cases.slice(i * batch, (i + 1) * batch),
    );
    const pass = (stopping: StoppingParameters) => (): Promise<Outcome> =>
      runAll(engine, name, requests, stopping, metric);
    const [adaptive, full] = [pass({}), pass({ rule: 'fixed', depth: manifest.depth })];
    const seen = { adaptive: await adaptive(), full: await full() };
    const time = await alternate(adaptive, full, fewer(3, quick));
    const lost = metric.loss(metric.total(seen.full.parts), metric.total(seen.adaptive.parts));
    const what = `${name}, ${batch === 1 ? 'one sample' : `${batch} samples`} a request`;
    const meanDepth = seen.adaptive.depths.reduce((a, b) => a + b, 0) / seen.adaptive.depths.length;
    return [
      {
        benchmark: 'depth',
        what: `${what}: time, adaptive over full`,
        value: round(time.first / time.second),
        unit: '×',
        target: metric.unit === 'points' ? '≤ 0.75' : '≤ 0.7',
        detail: `mean depth ${meanDepth.toFixed(1)} of ${manifest.depth}`,
      },
      {
        benchmark: 'depth',
        what: `${what}: quality lost`,
        value: round(lost, 2),
        unit: metric.unit,
        target: '≤ 0.1',
      },
    ];
  } finally {
    await engine.close();
  }
}

interface Outcome {
  readonly parts: (readonly [number, number])[];
  readonly depths: number[];
}

async function runAll(
  engine: Engine,
  name: string,
  requests: readonly Condition['cases'][],
  stopping: StoppingParameters,
  metric: Metric,
): Promise<Outcome> {
  const outcome: Outcome = { parts: [], depths: [] };
  for (const cases of requests) {
    const { samples } = await engine.run(
      name,
      cases.map(({ sample }) => sample),
      stopping,
    );
    samples.forEach(({ depth: stop, outputs }, i) => {
      outcome.depths.push(stop);
      outcome.parts.push(metric.sample(Object.values(outputs)[0]!.data, cases[i]!.truth));
    });
  }
  return outcome;
}

/** Largest FLOPs of policies and read-out up to an exit relative to the layers, from the manifest. */
function overhead({ manifest: { name, flops } }: Bundle): Row {
  const sums = { layers: 0, others: 0, share: 0 };
  flops.segments.forEach((layers, i) => {
    sums.layers += layers;
    sums.others += flops.policies[i]!;
    sums.share = Math.max(sums.share, (sums.others + (flops.heads[i] ?? 0)) / sums.layers);
  });
  const what = `${name}: policies and read-out over layers, FLOPs, the worst exit`;
  return { benchmark: 'depth', what, value: round(100 * sums.share), unit: '%', target: '≤ 10' };
}
