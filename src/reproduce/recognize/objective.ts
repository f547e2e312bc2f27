/** What the oracle's weights do to the exits: the same network, learnt for as long with other weights of its exits. */
import type { Manifest } from '../../bundle/manifest.ts';
import { accuracy } from '../../evaluation/quality.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { look, recognizers, type Setting } from './setting.ts';
import { right } from './signals.ts';

export const objective: Part = { name: 'objective', about: 'The exits of models learnt with uniform and with the oracle’s weights.', run };

async function run(options: ReproduceOptions): Promise<Section[]> {
  const [model, ...others] = await recognizers(options.modelsDir);
  const alike = others.filter(({ flops }) => JSON.stringify(flops) === JSON.stringify(model.flops));
  const settings: Setting[] = [];
  for (const manifest of [model, ...alike]) settings.push(await look(options, manifest));
  const share = ({ seen }: Setting, pick: (one: Setting['seen'][number]) => boolean): string =>
    accuracy.total(seen.map((one) => [pick(one) ? 100 : 0, 1] as const)).toFixed(2);
  const atSome = (one: Setting['seen'][number]): boolean => one.scores.some((_, exit) => right(one, exit));
  return [
    {
      heading: 'Weights of the exits',
      text: `Accuracy in % on ${settings[0]!.seen.length} images of ${settings[0]!.folder}, of every exit by what the layers were learnt with.`,
      tables: [
        {
          columns: ['', ...settings.map(({ manifest }) => `${manifest.name}: ${weightsOf(manifest)}`)],
          rows: [
            ...model.exits.map((exit, i) => [`layer ${exit}`, ...settings.map((setting) => share(setting, (one) => right(one, i)))]),
            ['some exit (the oracle)', ...settings.map((setting) => share(setting, atSome))],
            ['thousand images learnt from', ...settings.map(({ manifest }) => imagesLearntFrom(manifest.training).toFixed(0))],
          ],
        },
      ],
    },
  ];
}

interface Training {
  readonly config?: { readonly batch?: number; readonly stageOne?: { readonly beta?: number | 'uniform' } };
  readonly stages?: Readonly<Record<string, { readonly steps: number }>>;
  /** What the training went on from. */
  readonly from?: Training;
}

function weightsOf({ training }: Manifest): string {
  const beta = (training as Training).config?.stageOne?.beta;
  if (beta === undefined) return 'unknown weights';
  return typeof beta === 'number' ? `the oracle’s weights, β = ${beta}` : `${beta} weights`;
}

/** Images that the layers saw, in thousands, one counted each time it was seen. */
function imagesLearntFrom({ config, stages, from }: Training): number {
  const here = ((config?.batch ?? 0) * (stages?.['stage-1']?.steps ?? 0)) / 1000;
  return here + (from ? imagesLearntFrom(from) : 0);
}
