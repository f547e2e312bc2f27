/** What the oracle's weights do to the exits: the same network, learnt for as long with other weights of its exits. */
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { accuracy } from '../../../src/evaluation/metrics.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { runsOf } from '../training.ts';
import { look, recognizers, type Setting } from './setting.ts';
import { right } from './signals.ts';

export const objective: Part = {
  name: 'objective',
  about: 'The exits of models learnt with uniform and with the oracle’s weights.',
  run,
};

async function run(options: ReproduceOptions): Promise<Section[]> {
  const [model, ...others] = await recognizers(options.modelsDir);
  const alike = others.filter(({ flops }) => JSON.stringify(flops) === JSON.stringify(model.flops));
  const settings: Setting[] = [];
  for (const manifest of [model, ...alike]) settings.push(await look(options, manifest));
  const share = ({ seen }: Setting, pick: (one: Setting['seen'][number]) => boolean): string =>
    accuracy.total(seen.map((one) => [pick(one) ? 100 : 0, 1] as const)).toFixed(2);
  const atSome = (one: Setting['seen'][number]): boolean =>
    one.scores.some((_, exit) => right(one, exit));
  return [
    {
      heading: 'Weights of the exits',
      text: `Accuracy in % on ${settings[0]!.seen.length} images of ${settings[0]!.folder}, of every exit by what the layers were learnt with.`,
      tables: [
        {
          columns: [
            '',
            ...settings.map(({ manifest }) => `${manifest.name}: ${weightsOf(manifest)}`),
          ],
          rows: [
            ...model.exits.map((exit, i) => [
              `layer ${exit}`,
              ...settings.map((setting) => share(setting, (one) => right(one, i))),
            ]),
            ['some exit (the oracle)', ...settings.map((setting) => share(setting, atSome))],
            [
              'thousand images learnt from',
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
  return typeof beta === 'number' ? `the oracle’s weights, β = ${beta}` : `${beta} weights`;
}

/** Images that the layers saw, in thousands, one counted each time it was seen. */
const imagesLearntFrom = (manifest: Manifest): number =>
  runsOf(manifest).reduce(
    (sum, { config, stages }) =>
      sum + (Number(config?.batch ?? 0) * (stages?.['stage-1']?.steps ?? 0)) / 1000,
    0,
  );
