/** What every exit knows: its accuracy, what the best exit of each image would reach, and how often depth does harm. */
import { accuracy, halfWidth95 } from '../../../src/evaluation/metrics.ts';
import { curves } from '../../plots/curves.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { flopsUpTo } from './cost.ts';
import { look, recognizers, type Seen } from './setting.ts';
import { calibrationError, right } from './signals.ts';

export const exits: Part = {
  name: 'exits',
  about: 'Accuracy and calibration of every exit; over-thinking.',
  run,
};

async function run(options: ReproduceOptions): Promise<Section[]> {
  const [model] = await recognizers(options.modelsDir);
  const { manifest, folder, seen, ms } = await look(options, model);
  const last = manifest.exits.length - 1;
  const percent = (pick: (one: Seen) => boolean): number[] =>
    seen.map((one) => (pick(one) ? 100 : 0));
  const share = (pick: (one: Seen) => boolean): number =>
    accuracy.total(percent(pick).map((value) => [value, 1] as const));
  const known = manifest.exits.map((_, i) => share((one) => right(one, i)));
  const flops = manifest.exits.map((_, i) => flopsUpTo(manifest, i));
  const oracle = share((one) => manifest.exits.some((_, i) => right(one, i)));
  const overThought = share(
    (one) => !right(one, last) && manifest.exits.some((_, i) => right(one, i)),
  );
  const wasted = share((one) => right(one, last) && right(one, 0));
  const errors = manifest.exits.map((_, i) => calibrationError(seen, i));
  const interval = halfWidth95(percent((one) => right(one, last)));
  return [
    {
      heading: 'Every exit',
      text: `${manifest.name} on ${seen.length} images of ${folder}; the 95 % interval of an accuracy is ± ${interval.toFixed(1)} points. Calibration error: the mean distance between confidence and accuracy, 15 bins.`,
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
      text: 'An image is over-thought where the last exit is wrong and an earlier one was right. An oracle that picks the best exit of each image knows the truth; no rule can.',
      tables: [
        {
          columns: ['', '% of the images'],
          rows: [
            ['right at the last exit', known[last]!.toFixed(2)],
            ['right at some exit (the oracle)', oracle.toFixed(2)],
            ['over-thought: wrong at the last, right before', overThought.toFixed(2)],
            ['right at the first exit already, and at the last', wasted.toFixed(2)],
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
