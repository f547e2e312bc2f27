/** How the models were trained, according to their manifests. */
import type { Manifest, TaskName } from '../../src/bundle/manifest.ts';
import { loadBundles } from '../../src/bundle/read.ts';
import { curves } from '../plots/curves.ts';
import type { StageReport } from '../../src/training/stage-run.ts';
import type { Part, Section } from './report.ts';

/** One training run. The manifest does not constrain these fields, so all are optional. */
interface Run {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly data?: string;
  readonly seed?: number;
  readonly stages?: Readonly<
    Record<string, Omit<StageReport, 'curve'> & Partial<Pick<StageReport, 'curve'>>>
  >;
  /** The run whose weights it started from; older manifests have the name of its model instead. */
  readonly from?: Run | string;
}

/** All training runs behind a model, oldest first. */
export function runsOf({ training }: Manifest): Run[] {
  const runs: Run[] = [];
  for (let run: Run | string | undefined = training; run; run = runs[0]!.from)
    runs.unshift(typeof run === 'string' ? {} : run);
  return runs;
}

/** Steps and minutes of Stage I of all recorded runs, as text. */
export const trainingTime = (manifest: Manifest): string =>
  runsOf(manifest)
    .flatMap(({ stages }) => stages?.['stage-1'] ?? [])
    .map(
      ({ steps, seconds, provider }) =>
        `${steps} steps (${(seconds / 60).toFixed(0)} minutes${provider ? ` on ${provider}` : ''})`,
    )
    .join(', ');

/** The part `training`: a table of all models of a task, the default one first; of those named by `--model` where it is given. */
export const training = (task: TaskName): Part => ({
  name: 'training',
  about: 'Steps, time and learning curves of the models.',
  async run({ modelsDir, model = '' }) {
    const { bundles } = await loadBundles(modelsDir);
    const models = bundles
      .map(({ manifest }) => manifest)
      .filter((manifest) => manifest.task === task && manifest.name.startsWith(model));
    return [await section(models.sort((a, b) => Number(b.default) - Number(a.default)))];
  },
});

async function section(models: readonly Manifest[]): Promise<Section> {
  const rows = models.flatMap((manifest) =>
    runsOf(manifest).flatMap(({ config, data, seed, stages = {} }, i) => {
      const name = `${manifest.name}, run ${i + 1}`;
      if (Object.keys(stages).length === 0) return [[`${name}, not recorded`, '', '', '', '']];
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
    heading: 'Training',
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

/** The stages of the layers, for every run with a recorded curve, on a common time axis in hours. */
function curvesOf(manifest: Manifest) {
  let hours = 0;
  return runsOf(manifest).flatMap(({ stages }, i) =>
    ['warm-up', 'stage-1'].flatMap((name) => {
      const stage = stages?.[name];
      if (!stage) return [];
      const { steps, seconds, curve = [] } = stage;
      const before = hours;
      hours += seconds / 3600;
      const at = (step: number): number => before + ((step / steps) * seconds) / 3600;
      const points = curve.map(([step, y]) => ({ x: at(step), y }));
      const of = name === 'stage-1' ? '' : `, ${name}`;
      return points.length > 0 ? [{ name: `run ${i + 1}${of}`, points }] : [];
    }),
  );
}
