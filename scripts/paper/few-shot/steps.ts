/** Gradient steps by the number of images per class, and the accuracy after each step. */
import { startEngine } from '../../../src/evaluation/measure.ts';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { accuracy, halfWidth95 } from '../../../src/evaluation/metrics.ts';
import { exitAt, qualityAt, trace, type Traced } from '../../../src/evaluation/trace.ts';
import { histograms } from '../../plots/histograms.ts';
import { frequencies } from '../numbers.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { loadModels, percent, shotsName, testTasks } from './setting.ts';
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
  const conditions = await testTasks(models, options, settings, options.count ?? TASKS);
  const engine = await startEngine(options.modelsDir, [stop.name]);
  try {
    const traced: Traced[][] = [];
    for (const [i, { cases }] of conditions.entries()) {
      options.onProgress(shotsName(least + i), i / conditions.length);
      traced.push(await trace(engine, stop, cases, accuracy));
    }
    const names = settings.map(({ shots }) => shotsName(shots[0]));
    return [await section(ways, names, traced, stop)];
  } finally {
    await engine.close();
  }
}

async function section(
  ways: number,
  names: readonly string[],
  traced: readonly Traced[][],
  { threshold = DEFAULT_THRESHOLD, exits }: Manifest,
): Promise<Section> {
  const policy = (task: Traced): number => exitAt(task, threshold);
  const rules = [...exits.map((_, i) => () => i), policy];
  const figures = (list: readonly Traced[]): string[] => [
    ...rules.map((pick) => qualityAt(list, accuracy, pick).toFixed(2)),
    (list.reduce((sum, task) => sum + exits[policy(task)]!, 0) / list.length).toFixed(2),
  ];
  const all = traced.flat();
  const at = (task: Traced, exit: number): number => task.parts[exit]![0];
  const behind = rules.map((pick) => all.map((task) => at(task, pick(task)) - at(task, policy(task)))); // prettier-ignore
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    heading: 'Steps',
    text:
      `Accuracy in % where every task takes as many steps, over ${traced[0]!.length} tasks for each number of shots; the policy stops at the threshold ${threshold}. ` +
      'The last row is the difference to the policy on the same tasks, with its 95 % interval.',
    tables: [
      {
        columns: [`${ways}-way`, ...exits.map(stepsName), 'policy', 'mean steps'],
        rows: [
          ...traced.map((list, i) => [names[i]!, ...figures(list)]),
          ['all of these', ...figures(all)],
          [
            'above the policy',
            ...behind.slice(0, -1).map((values) => percent(mean(values), halfWidth95(values))),
          ],
        ],
      },
    ],
    figures: [
      {
        file: 'steps.svg',
        caption: 'Gradient steps by the number of shots',
        content: await histograms({
          title: `Gradient steps taken, threshold ${threshold}`,
          x: 'steps',
          from: exits[0]!,
          to: exits.at(-1)!,
          histograms: traced.map((list, i) => ({
            name: names[i]!,
            counts: frequencies(list.map((task) => exits[policy(task)]!)),
          })),
        }),
      },
    ],
  };
}

const stepsName = (steps: number): string =>
  steps === 0 ? 'start' : `${steps} step${steps > 1 ? 's' : ''}`;
