/** How models were learnt, as their manifests tell it. */
import type { Manifest, TaskName } from '../../src/bundle/manifest.ts';
import { loadBundles } from '../../src/bundle/read.ts';
import { curves } from '../plots/curves.ts';
import type { StageReport } from '../../src/training/stage-run.ts';
import type { Part, Section } from './report.ts';

/** One run of the training; what the manifest's free form says of it. */
interface Run {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly data?: string;
  readonly seed?: number;
  readonly stages?: Readonly<
    Record<string, Omit<StageReport, 'curve'> & Partial<Pick<StageReport, 'curve'>>>
  >;
  /** The run that it went on from; in older manifests the name of its model. */
  readonly from?: Run | string;
}

/** The runs behind a model, the first one first. */
export function runsOf({ training }: Manifest): Run[] {
  const runs: Run[] = [];
  for (let run: Run | string | undefined = training; run; run = runs[0]!.from)
    runs.unshift(typeof run === 'string' ? {} : run);
  return runs;
}

/** Steps and minutes of Stage I in all runs that were kept. */
export const learntIn = (manifest: Manifest): string =>
  runsOf(manifest)
    .flatMap(({ stages }) => stages?.['stage-1'] ?? [])
    .map(
      ({ steps, seconds, provider }) =>
        `${steps} steps (${(seconds / 60).toFixed(0)} minutes${provider ? ` on ${provider}` : ''})`,
    )
    .join(', ');

/** The models of a task, the default one first, that were learnt here. */
export const training = (task: TaskName): Part => ({
  name: 'training',
  about: 'Steps, time and learning curves of the models.',
  async run({ modelsDir }) {
    const { bundles } = await loadBundles(modelsDir);
    const models = bundles
      .map(({ manifest }) => manifest)
      .filter((manifest) => manifest.task === task);
    return [await section(models.sort((a, b) => Number(b.default) - Number(a.default)))];
  },
});

async function section(models: readonly Manifest[]): Promise<Section> {
  const rows = models.flatMap((manifest) =>
    runsOf(manifest).flatMap(({ config, data, seed, stages = {} }, i) => {
      const name = `${manifest.name}, run ${i + 1}`;
      if (Object.keys(stages).length === 0)
        return [[`${name}, of which nothing was kept`, '', '', '', '']];
      return Object.entries(stages).map(([stage, { steps, seconds, provider }], k) => [
        k === 0 ? `${name}: ${data}, seed ${seed}` : '',
        stage,
        steps,
        String(config?.batch),
        `${(seconds / 60).toFixed(0)}${provider ? ` on ${provider}` : ''}`,
      ]);
    }),
  );
  // Older manifests have no curve.
  const shown = models
    .map((manifest) => ({ name: manifest.name, lines: curvesOf(manifest) }))
    .find(({ lines }) => lines.length > 0);
  return {
    heading: 'How the models were learnt',
    tables: [{ columns: ['', 'stage', 'steps', 'batch', 'minutes'], rows }],
    ...(shown && {
      figures: [
        {
          file: 'training.svg',
          caption: 'Learning curve of the layers',
          content: await curves({
            title: `${shown.name}: the layers' loss`,
            x: { title: 'hours of training' },
            y: { title: 'loss, running mean' },
            curves: shown.lines,
          }),
        },
      ],
    }),
  };
}

/** Stage I of every run that kept its curve, one after the other. */
function curvesOf(manifest: Manifest) {
  let hours = 0;
  return runsOf(manifest).flatMap(({ stages }, i) => {
    const stage = stages?.['stage-1'];
    if (!stage) return [];
    const { steps, seconds, curve = [] } = stage;
    const before = hours;
    hours += seconds / 3600;
    const points = curve.map(([step, y]) => ({ x: before + ((step / steps) * seconds) / 3600, y }));
    return points.length > 0 ? [{ name: `run ${i + 1}`, points }] : [];
  });
}
