/** Gradient steps by the number of images per class, and the accuracy after each step. */
import { startEngine } from '../../../src/evaluation/measure.ts';
import { accuracy } from '../../../src/evaluation/metrics.ts';
import { exitAt, qualityAt, trace, type Traced } from '../../../src/evaluation/trace.ts';
import { histograms } from '../../plots/histograms.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { loadModels, shotsName, testTasks } from './setting.ts';
import { DEFAULT_THRESHOLD } from '../../../src/stopping/rules.ts';

export const steps: Part = {
  name: 'steps',
  about: 'Steps by the number of shots, and accuracy after every step.',
  run,
};

/** Tasks for each number of shots; for 1 to 5 shots together as many as the accuracy is measured on. */
const TASKS = 120;

async function run(options: ReproduceOptions): Promise<Section[]> {
  const models = await loadModels(options);
  const { stop, config } = models;
  const [least, most] = config.shots;
  const ways = Math.max(...config.ways);
  const settings = Array.from({ length: most - least + 1 }, (_, i) => ({
    ways,
    shots: [least + i, least + i] as const,
  }));
  const conditions = await testTasks(models, options, settings, TASKS);
  const engine = await startEngine(options.modelsDir, [stop.name]);
  try {
    const traced: Traced[][] = [];
    for (const [i, { cases }] of conditions.entries()) {
      options.onProgress(shotsName(least + i), i / conditions.length);
      traced.push(await trace(engine, stop, cases, accuracy));
    }
    const names = settings.map(({ shots }) => shotsName(shots[0]));
    return [await section(ways, names, traced, stop.threshold ?? DEFAULT_THRESHOLD)];
  } finally {
    await engine.close();
  }
}

async function section(
  ways: number,
  names: readonly string[],
  traced: readonly Traced[][],
  threshold: number,
): Promise<Section> {
  const depth = traced[0]![0]!.parts.length;
  const all = Array.from({ length: depth }, (_, i) => i);
  const meanSteps = (list: readonly Traced[]): number =>
    list.reduce((sum, task) => sum + exitAt(task, threshold) + 1, 0) / list.length;
  return {
    heading: 'Steps',
    text: `Accuracy in % after every step, over ${traced[0]!.length} tasks for each number of shots; the policy stops at the threshold ${threshold}.`,
    tables: [
      {
        columns: [
          `${ways}-way`,
          ...all.map((i) => `${i + 1} step${i > 0 ? 's' : ''}`),
          'policy',
          'mean steps',
        ],
        rows: traced.map((list, i) => [
          names[i]!,
          ...all.map((t) => qualityAt(list, accuracy, () => t).toFixed(2)),
          qualityAt(list, accuracy, (task) => exitAt(task, threshold)).toFixed(2),
          meanSteps(list).toFixed(2),
        ]),
      },
    ],
    figures: [
      {
        file: 'steps.svg',
        caption: 'Gradient steps by the number of shots',
        content: await histograms({
          title: `Gradient steps taken, threshold ${threshold}`,
          x: 'steps',
          from: 1,
          to: depth,
          histograms: traced.map((list, i) => ({
            name: names[i]!,
            counts: new Map(
              all.map((t) => [t + 1, list.filter((task) => exitAt(task, threshold) === t).length]),
            ),
          })),
        }),
      },
    ],
  };
}
