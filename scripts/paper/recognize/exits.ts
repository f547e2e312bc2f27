/** Accuracy of every exit, the oracle that picks the best exit per image, and how often more depth harms. */
import { accuracy, halfWidth95 } from '../../../src/evaluation/metrics.ts';
import { curves } from '../../plots/curves.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { flopsUpTo } from './cost.ts';
import { traceImages, recognitionModels, type ImageTrace } from './setting.ts';
import { calibrationError, isCorrect } from './signals.ts';

export const exits: Part = {
  name: 'exits',
  about: 'Accuracy and calibration of every exit; over-thinking.',
  run,
};

async function run(options: ReproduceOptions): Promise<Section[]> {
  const [model] = await recognitionModels(options.modelsDir);
  const { manifest, folder, traces, ms } = await traceImages(options, model);
  const last = manifest.exits.length - 1;
  const percent = (pick: (one: ImageTrace) => boolean): number[] =>
    traces.map((one) => (pick(one) ? 100 : 0));
  const share = (pick: (one: ImageTrace) => boolean): number =>
    accuracy.total(percent(pick).map((value) => [value, 1] as const));
  const known = manifest.exits.map((_, i) => share((one) => isCorrect(one, i)));
  const flops = manifest.exits.map((_, i) => flopsUpTo(manifest, i));
  const oracle = share((one) => manifest.exits.some((_, i) => isCorrect(one, i)));
  const overThought = share(
    (one) => !isCorrect(one, last) && manifest.exits.some((_, i) => isCorrect(one, i)),
  );
  const wasted = share((one) => isCorrect(one, last) && isCorrect(one, 0));
  const errors = manifest.exits.map((_, i) => calibrationError(traces, i));
  const interval = halfWidth95(percent((one) => isCorrect(one, last)));
  return [
    {
      heading: 'Every exit',
      text: `${manifest.name} on ${traces.length} images of ${folder}; the 95 % interval of an accuracy is ± ${interval.toFixed(1)} points. Calibration error: the mean distance between confidence and accuracy, 15 bins.`,
      tables: [
        {
          columns: ['exit', 'FLOPs, share', 'ms', 'accuracy, %', 'calibration error, %'],
          rows: manifest.exits.map((exit, i) => [
            `layer ${exit}`,
            `${((100 * flops[i]!) / flops[last]!).toFixed(0)} %`,
            ms[i]!.toFixed(2),
            known[i]!.toFixed(2),
            errors[i]!.toFixed(2),
          ]),
        },
      ],
    },
    {
      heading: 'Over-thinking',
      text: 'An image is over-thought if the last exit is wrong and an earlier one is right. The oracle picks the best exit of each image; it needs the label, so no rule can reach it.',
      tables: [
        {
          columns: ['', '% of the images'],
          rows: [
            ['right at the last exit', known[last]!.toFixed(2)],
            ['right at some exit (the oracle)', oracle.toFixed(2)],
            [
              'over-thought: wrong at the last exit, right at an earlier one',
              overThought.toFixed(2),
            ],
            ['right at the first and at the last exit', wasted.toFixed(2)],
          ],
        },
      ],
      figures: [
        {
          file: 'exits.svg',
          caption: 'Accuracy of every exit over its compute',
          content: await curves({
            title: `Accuracy of every exit, ${manifest.name}`,
            x: { title: 'FLOPs, share of all layers' },
            y: { title: 'accuracy, %' },
            curves: [
              {
                name: 'every image at one exit',
                points: known.map((y, i) => ({
                  x: flops[i]! / flops[last]!,
                  y,
                  label: String(manifest.exits[i]),
                })),
              },
              {
                name: 'best exit of each image (oracle)',
                points: [{ x: 1, y: oracle }],
                line: false,
              },
            ],
          }),
        },
      ],
    },
  ];
}
