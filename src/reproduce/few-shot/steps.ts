/** How many steps tasks take, by the number of images of a class, and what each step brings. */
import { startEngine } from '../../evaluation/measure.ts';
import { accuracy } from '../../evaluation/quality.ts';
import { exitAt, qualityAt, trace, type Traced } from '../../evaluation/trace.ts';
import { histograms } from '../../plots/histograms.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { bundles, STOP, testTasks } from './setting.ts';

export const steps: Part = { name: 'steps', about: 'Steps by the number of shots, and accuracy after every step.', run };

const SHOTS = [1, 2, 3, 4, 5];
const WAYS = 20;

async function run(options: ReproduceOptions): Promise<Section[]> {
  const [manifest] = await bundles(options.modelsDir);
  const settings = SHOTS.map((shots) => ({ ways: WAYS, shots: [shots, shots] as const }));
  const conditions = await testTasks(manifest!, options, settings, 200);
  const engine = await startEngine(options.modelsDir, [STOP]);
  try {
    const traced: Traced[][] = [];
    for (const [i, { cases }] of conditions.entries()) {
      options.onProgress(`${SHOTS[i]} shots`, i / conditions.length);
      traced.push(await trace(engine, manifest!, cases, accuracy));
    }
    return [await section(traced, manifest!.threshold ?? 0.5)];
  } finally {
    await engine.close();
  }
}

async function section(traced: readonly Traced[][], threshold: number): Promise<Section> {
  const depth = traced[0]![0]!.parts.length;
  const all = Array.from({ length: depth }, (_, i) => i);
  const meanSteps = (list: readonly Traced[]): number => list.reduce((sum, task) => sum + exitAt(task, threshold) + 1, 0) / list.length;
  return {
    heading: 'Steps',
    tables: [
      {
        columns: [`${WAYS}-way`, ...all.map((i) => `${i + 1} step${i > 0 ? 's' : ''}`), 'policy', 'mean steps'],
        rows: traced.map((list, i) => [
          `${SHOTS[i]} shot${i > 0 ? 's' : ''}`,
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
            name: `${SHOTS[i]} shot${i > 0 ? 's' : ''}`,
            counts: new Map(all.map((t) => [t + 1, list.filter((task) => exitAt(task, threshold) === t).length])),
          })),
        }),
      },
    ],
  };
}
