/** Which rule makes the most of the exits: the learnt policy, confidence, entropy, patience, and one depth for all. */
import { cheapestThreshold } from '../../../src/evaluation/calibrate.ts';
import { accuracy } from '../../../src/evaluation/metrics.ts';
import { exitAt, qualityAt, type Judged } from '../../../src/evaluation/trace.ts';
import { curves } from '../../plots/curves.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { flopsUpTo } from './cost.ts';
import { look, recognizers, type Setting } from './setting.ts';
import { certainty, confidence, learnt, patience, judgedBy, type Signal } from './signals.ts';

export const rules: Part = {
  name: 'rules',
  about: 'Accuracy over compute and time, by stop rule.',
  run,
};

interface Rule {
  readonly name: string;
  readonly signal: Signal;
  readonly policy?: boolean;
}

const all: readonly Rule[] = [
  { name: 'learnt policy', signal: learnt, policy: true },
  { name: 'confidence', signal: confidence },
  { name: 'entropy', signal: certainty },
  { name: 'patience', signal: patience },
];

/** Accuracy that the rules may give up against the last exit, percentage points. */
const TOLERANCE = 0.2;
const THRESHOLDS = [
  ...Array.from({ length: 19 }, (_, i) => 0.05 * (i + 1)),
  0.97,
  0.98,
  0.99,
  0.995,
];

async function run(options: ReproduceOptions): Promise<Section[]> {
  const [model] = await recognizers(options.modelsDir);
  const setting = await look(options, model);
  return [atLastExit(setting), await overall(setting)];
}

/** Costs of leaving at each exit: operations, or ms. */
interface Costs {
  readonly flops: readonly number[];
  readonly ms: readonly number[];
}

const costsOf = ({ manifest, ms }: Setting, policy = false): Costs => ({
  flops: manifest.exits.map((_, i) => flopsUpTo(manifest, i, policy)),
  ms,
});

const mean = (
  judged: readonly Judged[],
  costs: readonly number[],
  pick: (one: Judged) => number,
): number => judged.reduce((sum, one) => sum + costs[pick(one)]!, 0) / judged.length;

/** Thresholds chosen on every other image, figures from the rest. */
function atLastExit(setting: Setting): Section {
  const { manifest, seen } = setting;
  const last = manifest.exits.length - 1;
  const tuning = seen.filter((_, i) => i % 2 === 0);
  const test = seen.filter((_, i) => i % 2 === 1);
  const plain = costsOf(setting);
  const row = (
    name: string,
    tau: string,
    judged: readonly Judged[],
    costs: Costs,
    pick: (one: Judged) => number,
  ) => [
    name,
    tau,
    qualityAt(judged, accuracy, pick).toFixed(2),
    mean(judged, manifest.exits, pick).toFixed(2),
    `${((100 * mean(judged, costs.flops, pick)) / plain.flops[last]!).toFixed(0)} %`,
    `${((100 * mean(judged, costs.ms, pick)) / plain.ms[last]!).toFixed(0)} %`,
  ];
  const judged = judgedBy(test, learnt);
  return {
    heading: 'At the accuracy of the last exit',
    text: `Each rule's threshold is the cheapest that gives up at most ${TOLERANCE} points on every other image; the figures come from the ${test.length} others. FLOPs and time are shares of all layers'; time is that of one image a request, with the policy in every layer.`,
    tables: [
      {
        columns: ['rule', 'threshold', 'accuracy, %', 'mean depth', 'FLOPs', 'time'],
        rows: [
          ...all.map(({ name, signal, policy }) => {
            const costs = costsOf(setting, policy);
            const tau = cheapestThreshold(
              [judgedBy(tuning, signal)],
              costs.flops,
              accuracy,
              TOLERANCE,
            );
            return row(name, tau.toFixed(3), judgedBy(test, signal), costs, (one) =>
              exitAt(one, tau),
            );
          }),
          ...manifest.exits.map((exit, i) =>
            row(`every image at depth ${exit}`, '–', judged, plain, () => i),
          ),
        ],
      },
    ],
  };
}

async function overall(setting: Setting): Promise<Section> {
  const { manifest, seen } = setting;
  const last = manifest.exits.length - 1;
  const plain = costsOf(setting);
  const lines = (cost: keyof Costs) => [
    ...all.map(({ name, signal, policy }) => {
      const judged = judgedBy(seen, signal);
      const costs = costsOf(setting, policy)[cost];
      return {
        name,
        points: THRESHOLDS.map((tau) =>
          pointAt(judged, costs, plain[cost][last]!, (one) => exitAt(one, tau)),
        ),
      };
    }),
    {
      name: 'every image at one depth',
      points: manifest.exits.map((exit, i) => ({
        ...pointAt(judgedBy(seen, learnt), plain[cost], plain[cost][last]!, () => i),
        label: String(exit),
      })),
    },
  ];
  const plot = async (cost: keyof Costs, file: string, title: string, x: string) => ({
    file,
    caption: title,
    content: await curves({
      title,
      x: { title: x },
      y: { title: 'accuracy, %' },
      curves: lines(cost),
    }),
  });
  return {
    heading: 'By threshold',
    text: `All ${seen.length} images, each rule at thresholds from ${THRESHOLDS[0]} to ${THRESHOLDS.at(-1)}.`,
    figures: [
      await plot(
        'flops',
        'accuracy-over-flops.svg',
        'Accuracy over compute',
        'mean FLOPs, share of all layers',
      ),
      await plot(
        'ms',
        'accuracy-over-time.svg',
        'Accuracy over time',
        'mean time, share of all layers',
      ),
    ],
  };
}

const pointAt = (
  judged: readonly Judged[],
  costs: readonly number[],
  whole: number,
  pick: (one: Judged) => number,
) => ({
  x: mean(judged, costs, pick) / whole,
  y: qualityAt(judged, accuracy, pick),
});
