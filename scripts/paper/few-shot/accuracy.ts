/** Accuracy on unseen classes, beside the published values and MAML with a fixed number of steps. Task-imbalanced and vanilla settings. */
import type { Measurement } from '../../../src/bundle/manifest.ts';
import { fewShot } from '../../../src/tasks/learning.ts';
import { evaluate } from '../../../src/evaluation/evaluate.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { loadModels, percent, testTasks, type ModelPair } from './setting.ts';

export const accuracy: Part = {
  name: 'accuracy',
  about:
    'Accuracy, steps and time on tasks of unseen classes, beside MAML with a fixed number of steps and the published values.',
  run,
};

const TASKS = 600;

async function run(options: ReproduceOptions): Promise<Section[]> {
  const models = await loadModels(options);
  const conditions = await testTasks(models, options, models.rows, options.count ?? TASKS);
  const manifests = [models.stop, ...(models.fixed ? [models.fixed] : [])];
  const engine = await startEngine(
    options.modelsDir,
    manifests.map(({ name }) => name),
  );
  const total = manifests.length * conditions.reduce((sum, { cases }) => sum + cases.length, 0);
  let done = 0;
  try {
    const measured: Measurement[][] = [];
    for (const manifest of manifests) {
      measured.push(
        await evaluate(engine, manifest, conditions, fewShot.metric, {}, () =>
          options.onProgress(manifest.name, ++done / total),
        ),
      );
    }
    return [section(models, measured)];
  } finally {
    await engine.close();
  }
}

function section(
  { stop, fixed, rows }: ModelPair,
  [adaptive, always]: readonly Measurement[][],
): Section {
  const published = rows.some((row) => row.published);
  const columns = [
    'tasks',
    ...(published ? ['MAML, published', 'MAML-stop, published'] : []),
    ...(fixed ? [`MAML, ${fixed.depth} steps, ours`] : []),
    'MAML-stop, ours',
    `MAML-stop, all ${stop.depth} steps`,
    'mean steps',
    ...(fixed ? ['ms a task, MAML'] : []),
    'ms a task, MAML-stop',
    'time, share of all steps',
  ];
  return {
    heading: 'Accuracy on unseen classes',
    text:
      `Accuracy in %, with 95 % confidence intervals over ${adaptive![0]!.n} tasks a row. Ours is inductive: queries are normalised with the ` +
      'statistics of the support set.' +
      (fixed && stop.exits[0] === 0 ? ' MAML’s step 1 is the start of MAML-stop.' : '') +
      (published
        ? ' The published values are transductive: all queries of a task are normalised together.'
        : ''),
    tables: [
      {
        columns,
        rows: rows.map((row, i) => {
          const [ours, other] = [adaptive![i]!, always?.[i]];
          return [
            row.name,
            ...(published ? [row.published?.maml.toFixed(2), row.published?.stop.toFixed(2)] : []),
            ...(other ? [percent(other.quality, other.half_width)] : []),
            percent(ours.quality, ours.half_width),
            ours.full_depth_quality.toFixed(2),
            ours.mean_depth.toFixed(2),
            ...(other ? [other.ms_per_sample.toFixed(0)] : []),
            ours.ms_per_sample.toFixed(0),
            (ours.ms_per_sample / ours.full_depth_ms_per_sample).toFixed(2),
          ];
        }),
      },
    ],
  };
}
