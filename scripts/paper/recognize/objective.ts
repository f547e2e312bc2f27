/** How the weights of the exits in the loss change their accuracy: one network, trained equally long with each. */
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { accuracy } from '../../../src/evaluation/metrics.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { runsOf } from '../training.ts';
import { traceImages, recognitionModels, type Setting } from './setting.ts';
import { isCorrect } from './signals.ts';

export const objective: Part = {
  name: 'objective',
  about: 'Accuracy of the exits when trained with uniform and with oracle weights.',
  run,
};

async function run(options: ReproduceOptions): Promise<Section[]> {
  const [model, ...others] = await recognitionModels(options.modelsDir);
  const alike = others.filter(({ flops }) => JSON.stringify(flops) === JSON.stringify(model.flops));
  const settings: Setting[] = [];
  for (const manifest of [model, ...alike]) settings.push(await traceImages(options, manifest));
  const share = ({ traces }: Setting, pick: (one: Setting['traces'][number]) => boolean): string =>
    accuracy.total(traces.map((one) => [pick(one) ? 100 : 0, 1] as const)).toFixed(2);
  const atSome = (one: Setting['traces'][number]): boolean =>
    one.scores.some((_, exit) => isCorrect(one, exit));
  return [
    {
      heading: 'Weights of the exits',
      text: `Accuracy in % on ${settings[0]!.traces.length} images of ${settings[0]!.folder}, of every exit, by the weights of the exits in training.`,
      tables: [
        {
          columns: [
            '',
            ...settings.map(({ manifest }) => `${manifest.name}: ${weightsOf(manifest)}`),
          ],
          rows: [
            ...model.exits.map((exit, i) => [
              `layer ${exit}`,
              ...settings.map((setting) => share(setting, (one) => isCorrect(one, i))),
            ]),
            ['some exit (the oracle)', ...settings.map((setting) => share(setting, atSome))],
            [
              'training images, thousands',
              ...settings.map(({ manifest }) => imagesLearntFrom(manifest).toFixed(0)),
            ],
          ],
        },
      ],
    },
  ];
}

function weightsOf(manifest: Manifest): string {
  const { beta } = (runsOf(manifest).at(-1)?.config?.stageOne ?? {}) as {
    beta?: number | 'uniform';
  };
  if (beta === undefined) return 'unknown weights';
  return typeof beta === 'number' ? `oracle weights, β = ${beta}` : `${beta} weights`;
}

/** Training images of Stage I in thousands, counted once per use. */
const imagesLearntFrom = (manifest: Manifest): number =>
  runsOf(manifest).reduce(
    (sum, { config, stages }) =>
      sum + (Number(config?.batch ?? 0) * (stages?.['stage-1']?.steps ?? 0)) / 1000,
    0,
  );
