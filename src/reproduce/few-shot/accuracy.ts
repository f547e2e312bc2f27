/** Accuracy on classes never seen, task-imbalanced and vanilla, beside the published values and MAML of fixed steps. */
import type { Measurement } from '../../bundle/manifest.ts';
import { evaluate } from '../../evaluation/evaluate.ts';
import { startEngine } from '../../evaluation/measure.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { bundles, percent, published, testTasks } from './setting.ts';

export const accuracy: Part = {
  name: 'accuracy',
  about: 'Accuracy, steps and time on tasks of unseen classes, beside the published values.',
  run,
};

async function run(options: ReproduceOptions): Promise<Section[]> {
  const manifests = await bundles(options.modelsDir);
  const conditions = await testTasks(manifests[0]!, options, published);
  const engine = await startEngine(
    options.modelsDir,
    manifests.map(({ name }) => name),
  );
  try {
    const rows: Measurement[][] = [];
    for (const [m, manifest] of manifests.entries()) {
      const list: Measurement[] = [];
      for (const [i, condition] of conditions.entries()) {
        options.onProgress(`${manifest.name}, ${published[i]!.name}`, (m + i / conditions.length) / manifests.length);
        list.push(...(await evaluate(engine, manifest, [condition], {})));
      }
      rows.push(list);
    }
    return [section(rows, manifests[0]!.depth)];
  } finally {
    await engine.close();
  }
}

function section([stop, fixed]: readonly Measurement[][], depth: number): Section {
  return {
    heading: 'Accuracy on unseen classes',
    text:
      'Accuracy in %, with 95 % confidence intervals over the tasks. Ours is inductive: queries are normalised by the support’s statistics. ' +
      'The published values are of queries that are normalised together, which tells them something of each other.',
    tables: [
      {
        columns: [
          'Omniglot',
          'MAML, published',
          'MAML-stop, published',
          `MAML, ${depth} steps, ours`,
          'MAML-stop, ours',
          `MAML-stop, all ${depth} steps`,
          'mean steps',
          'time, of all steps’',
        ],
        rows: published.map(({ name, maml, stop: stopped }, i) => {
          const [ours, other] = [stop![i]!, fixed?.[i]];
          return [
            name,
            maml.toFixed(2),
            stopped.toFixed(2),
            other && percent(other.quality, other.half_width),
            percent(ours.quality, ours.half_width),
            ours.full_depth_quality.toFixed(2),
            ours.mean_depth.toFixed(2),
            (ours.ms_per_sample / ours.full_depth_ms_per_sample).toFixed(2),
          ];
        }),
      },
    ],
  };
}
